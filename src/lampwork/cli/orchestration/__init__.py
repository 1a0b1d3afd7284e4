"""`lampwork orchestration ID`: the ledger of one, as a tree, and what people decide about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from lampwork.cli import output
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, examples
from lampwork.cli.orchestration.comparison import compared, lines_of_changes, plan_of_round
from lampwork.cli.orchestration.ledger import SHOWN_OF_DIGEST, lines_of
from lampwork.cli.reading import from_source
from lampwork.cli.source import Source
from lampwork.errors import ProposalChanged, SeveralOrchestrations, TaskNotFound, WaitNotFound
from lampwork.views import OrchestrationView, to_json

T = TypeVar("T")

_EXAMPLE = "lampwork orchestration t01hxq3k9v2m7c4d8e0f5.1"


@click.group(
    "orchestration",
    cls=Noun,
    which="ID",
    parameter="id",
    of=click.STRING,
    epilog=examples(_EXAMPLE),
)
def command() -> None:
    """Show an orchestration: its plan and revisions, each attempt with verdict, time and cost.

    ID is that of the orchestrator's task, or of the job that assigned it; of a job that has several
    orchestrations they are listed. A verb after the ID decides about its plan, or has something
    done about a subtask.
    """


@command.verb("show", hidden=True)
def show(id: str, options: Options) -> int:
    """Show an orchestration."""
    found = _of(options, id, lambda source: source.orchestration(id))
    _say(options, found)
    return 0


_number = click.IntRange(min=1)


@command.verb("plan", epilog=examples(f"{_EXAMPLE} plan", f"{_EXAMPLE} plan --round 1"))
@click.option("--round", "number", type=_number, metavar="N", help="That of an earlier round.")
def plan(id: str, number: int | None, options: Options) -> int:
    """Print its plan as JSON: that which is proposed, or carried out; `edit` takes it back."""
    found = _of(options, id, lambda source: source.orchestration(id))
    output.say_json(list(plan_of_round(found, number)))
    return 0


@command.verb("compare", epilog=examples(f"{_EXAMPLE} compare", f"{_EXAMPLE} compare 2 3"))
@click.argument("first", type=_number, required=False)
@click.argument("last", type=_number, required=False)
def compare(id: str, first: int | None, last: int | None, options: Options) -> int:
    """Show what has become of the plan of one round in that of another, with all of each field.

    FIRST and LAST are numbers of rounds; without them its first plan is compared with its last.
    """
    found = _of(options, id, lambda source: source.orchestration(id))
    first, last, changes = compared(found, first, last)
    if options.as_json:
        output.say_json(to_json(changes))
        return 0
    output.say(f"From the plan of round {first} to that of round {last} of {found.orchestrator}")
    plans = plan_of_round(found, first), plan_of_round(found, last)
    for line in lines_of_changes(changes, *plans):
        output.say(f"  {line}")
    if not changes:
        output.say("  Nothing has changed in the plan.")
    return 0


def _deciding(name: str, example: str = "") -> Callable[[Callable[..., int]], click.Command]:
    """A verb that decides on a plan which waits to be approved."""

    def define(fn: Callable[..., int]) -> click.Command:
        by = click.option("--by", metavar="NAME", help="Who decides, for the record; you, mostly.")
        digest = click.option(
            "--digest",
            metavar="DIGEST",
            default="",
            help="Of the plan that was looked at, or its beginning: another one is refused.",
        )
        reason = click.option("--reason", metavar="TEXT", default="", help="Why, for the record.")
        typed = f"{_EXAMPLE} {name}{example}"
        return command.verb(name, epilog=examples(typed))(by(digest(reason(fn))))

    return define


@_deciding("approve")
def approve(id: str, by: str | None, digest: str, reason: str, options: Options) -> int:
    """Let the plan be carried out that waits for that.

    Look at it first. Without --digest it is the one that is proposed now.
    """

    async def do(source: Source, of: OrchestrationView, digest: str) -> str:
        await source.approve_plan(id, digest=digest, reason=reason)
        return f"Approved {digest[:SHOWN_OF_DIGEST]}: {of.orchestrator} goes on."

    return _decide(options, id, do, digest, by=by)


@_deciding("reject", " --reason 'ask nobody outside'")
def reject(id: str, by: str | None, digest: str, reason: str, options: Options) -> int:
    """Let the plan not be carried out; its orchestrator is told the reason, and may plan again."""

    async def do(source: Source, of: OrchestrationView, digest: str) -> str:
        await source.reject_plan(id, digest=digest, reason=reason)
        return f"Rejected {digest[:SHOWN_OF_DIGEST]}: {of.orchestrator} is told."

    return _decide(options, id, do, digest, by=by)


@_deciding("edit", " plan.json")
@click.argument("file", type=click.Path(allow_dash=True))
def edit(id: str, by: str | None, digest: str, reason: str, file: str, options: Options) -> int:
    """Propose the subtasks of FILE instead, a JSON list as `plan` prints it; - is standard input.

    They are checked like the model's, and wait to be approved.
    """
    from lampwork.cli.run import read_json

    try:
        with click.open_file(file, encoding="utf-8") as opened:
            subtasks = read_json(file, opened.read(), example="[{…}]")
    except OSError as error:
        raise click.BadParameter(f"{file} can't be read: {error.strerror}") from error

    async def do(source: Source, of: OrchestrationView, digest: str) -> str:
        proposed = {"digest": digest, "reason": reason}
        await source.edit_plan(id, subtasks, **proposed)
        return f"Proposed instead. Approve it: {options.to_type('orchestration', id, 'approve')}"

    return _decide(options, id, do, digest, by=by)


# --- a subtask by hand ---


def _by_hand(name: str, example: str) -> Callable[[Callable[..., int]], click.Command]:
    """A verb that has something done about a subtask while its round goes on."""

    def define(fn: Callable[..., int]) -> click.Command:
        by = click.option("--by", metavar="NAME", help="Who says so, for the record; you, mostly.")
        reason = click.option("--reason", metavar="TEXT", default="", help="Why, for the record.")
        typed = f"{_EXAMPLE} {name} {example}"
        return command.verb(name, epilog=examples(typed))(by(reason(fn)))

    return define


@_by_hand("answer", """extract '{"cents": 500}'""")
@click.argument("subtask")
@click.argument("value", metavar="JSON")
def answer(id: str, subtask: str, value: str, by: str | None, reason: str, options: Options) -> int:
    """Answer a subtask in its agent's place, who is stopped. The answer must be of its type."""
    from lampwork.cli.run import read_json

    given = read_json("The answer", value, example='"text"')

    async def do(source: Source, of: str) -> str:
        await source.answer_subtask(of, subtask, given, reason=reason)
        return f"Answered {subtask}."

    return _order(options, id, do, by=by)


@_by_hand("reassign", "extract archive --reason 'data is down'")
@click.argument("subtask")
@click.argument("agent")
def reassign(
    id: str, subtask: str, agent: str, by: str | None, reason: str, options: Options
) -> int:
    """Give a subtask to another agent of its orchestrator; who has it is stopped."""

    async def do(source: Source, of: str) -> str:
        await source.reassign_subtask(of, subtask, agent, reason=reason)
        return f"{subtask} goes to {agent}."

    return _order(options, id, do, by=by)


@_by_hand("retry", "extract")
@click.argument("subtask")
def retry(id: str, subtask: str, by: str | None, reason: str, options: Options) -> int:
    """Have a subtask tried anew, as it was planned: one that has failed, or is under way."""

    async def do(source: Source, of: str) -> str:
        await source.retry_subtask(of, subtask, reason=reason)
        return f"{subtask} is tried anew."

    return _order(options, id, do, by=by)


@_by_hand("skip", "charts --reason 'not this quarter'")
@click.argument("subtask")
def skip(id: str, subtask: str, by: str | None, reason: str, options: Options) -> int:
    """Have a subtask not done: what depends on it goes on as if it had failed."""

    async def do(source: Source, of: str) -> str:
        await source.skip_subtask(of, subtask, reason=reason)
        return f"{subtask} is skipped."

    return _order(options, id, do, by=by)


def _order(
    options: Options,
    id: str,
    act: Callable[[Source, str], Awaitable[str]],
    *,
    by: str | None,
) -> int:
    """Have something done about a subtask, and say so, as `act` returns it."""

    async def do(source: Source) -> tuple[str, OrchestrationView]:
        return await act(source, id), await source.orchestration(id)

    return _say_done(options, *_of(options, id, do, by=by))


# --- how it is asked, and done ---


def _of(
    options: Options,
    id: str,
    read: Callable[[Source], Awaitable[T]],
    *,
    by: str | None = None,
) -> T:
    """What `read` returns. Raises TaskNotFound; SeveralOrchestrations with what to type."""
    try:
        found = asyncio.run(from_source(options, read, by=by))
    except SeveralOrchestrations as error:
        raise _with_commands(error, id, options) from error
    if found is None:
        raise TaskNotFound(f"There is no task {id}: nothing is in {options.where}.")
    return found


def _with_commands(
    error: SeveralOrchestrations, id: str, options: Options
) -> SeveralOrchestrations:
    """The same, with a line to type for each."""
    each = [
        f"  {options.to_type('orchestration', one['orchestration_id'])}  # {one['orchestrator']}, "
        f"{one['status']}: {output.cut(one['instructions'], 60)}"
        for one in error.orchestrations
    ]
    said = f"Job {id} has {len(each)} orchestrations. Name one of them:"
    return SeveralOrchestrations("\n".join([said, *each]), **error.fields)


def _decide(
    options: Options,
    id: str,
    act: Callable[[Source, OrchestrationView, str], Awaitable[str]],
    digest: str,
    *,
    by: str | None,
) -> int:
    """Decide on what is proposed, and say so, as `act` returns it."""

    async def do(source: Source) -> tuple[str, OrchestrationView]:
        found = await source.orchestration(id)
        proposed = found.rounds[-1].approval
        if proposed is None:
            raise WaitNotFound(
                f"Orchestration {id} has no plan that waits to be approved. Look at it: "
                f"{options.to_type('orchestration', id)}"
            )
        if not proposed.digest.startswith(digest):
            raise ProposalChanged(
                f"What is proposed now is {proposed.digest[:SHOWN_OF_DIGEST]}, and not {digest}. "
                f"Look at it again: {options.to_type('orchestration', id)}",
                digest=proposed.digest,
            )
        done = await act(source, found, proposed.digest)
        return done, await source.orchestration(id)

    return _say_done(options, *_of(options, id, do, by=by))


def _say_done(options: Options, done: str, found: OrchestrationView) -> int:
    if options.as_json:
        output.say_json(to_json(found))
    else:
        output.say(done)
    return 0


# --- an orchestration for people ---


def _say(options: Options, found: OrchestrationView) -> None:
    if options.as_json:
        output.say_json(to_json(found))
        return
    for line in lines_of(found, options):
        output.say(line)
