"""`lampwork orchestration ID`: the ledger of one, as a tree, and what people decide about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

import click

from lampwork.cli import output
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, examples
from lampwork.cli.reading import from_source
from lampwork.cli.screen.tree import Line, plain
from lampwork.cli.source import Source
from lampwork.errors import ProposalChanged, TaskNotFound, WaitNotFound
from lampwork.views import (
    AttemptView,
    OrchestrationView,
    PlanApproval,
    RoundView,
    SubtaskChange,
    SubtaskOrder,
    SubtaskView,
    to_json,
)

T = TypeVar("T")

_AFTER = {"asked_again": "asked again", "refused": "not assigned", "by_hand": "by hand"}
_SHOWN_AS = {
    "accepted": "ok",
    "rejected": "failed",
    "judging": "open",
    "working": "open",
    "stopped": "cancelled",
}
_MARKS = {"added": "+", "changed": "~", "dropped": "-"}
_SHOWN_OF_DIGEST = 12
_DECIDING = (("plan",), ("approve",), ("reject", "--reason", "TEXT"), ("edit", "FILE"))
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

    ID is that of the orchestrator's task, or of the job that assigned it; of several that a job
    has, the first is shown. A verb after the ID decides about its plan, or has something done
    about a subtask.
    """


@command.verb("show", hidden=True)
def show(id: str, options: Options) -> int:
    """Show an orchestration."""
    found = _of(options, id, lambda source: source.orchestration(id))
    _say(options, found)
    return 0


@command.verb("plan", epilog=examples(f"{_EXAMPLE} plan"))
def plan(id: str, options: Options) -> int:
    """Print its plan as JSON: that which is proposed, or carried out; `edit` takes it back."""
    found = _of(options, id, lambda source: source.orchestration(id))
    output.say_json(list(found.rounds[-1].plan))
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
        return f"Approved {digest[:_SHOWN_OF_DIGEST]}: {of.orchestrator} goes on."

    return _decide(options, id, do, digest, by=by)


@_deciding("reject", " --reason 'ask nobody outside'")
def reject(id: str, by: str | None, digest: str, reason: str, options: Options) -> int:
    """Let the plan not be carried out; its orchestrator is told the reason, and may plan again."""

    async def do(source: Source, of: OrchestrationView, digest: str) -> str:
        await source.reject_plan(id, digest=digest, reason=reason)
        return f"Rejected {digest[:_SHOWN_OF_DIGEST]}: {of.orchestrator} is told."

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
    """What `read` returns. Raises TaskNotFound."""
    found = asyncio.run(from_source(options, read, by=by))
    if found is None:
        raise TaskNotFound(f"There is no task {id}: nothing is in {options.where}.")
    return found


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
                f"What is proposed now is {proposed.digest[:_SHOWN_OF_DIGEST]}, and not {digest}. "
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
    for line in _lines(found, options):
        output.say(line)


def _lines(found: OrchestrationView, options: Options) -> Iterator[str]:
    yield f"Orchestration {found.orchestration_id} of {found.orchestrator}: {found.status}"
    yield f"  {output.cut(found.instructions, 90)}"
    yield (
        f"  {output.span(found.created_at, found.ended_at)}  {output.used(found.usage)}  "
        f"job {found.job_id}  conversation {found.conversation_id}"
    )
    if found.error is not None:
        yield f"  {output.headline(found.error.message)}"
    for each in found.artifacts:
        read = options.to_type("conversation", found.conversation_id, "artifact", each.name)
        yield f"  {each.name}  {each.media_type}, {output.size(each.size)}  {read}"
    yield "\nPlan"
    for each in found.rounds:
        yield from (f"  {line}" for line in _round(each))
    asked = found.rounds[-1].approval
    waits = asked is not None and asked.status == "waiting"
    if found.subtasks:
        yield "\nSubtasks"
    for each in found.subtasks:
        yield from plain(_subtask(each), 1)
        if waits and not each.attempts:
            yield f"      {output.cut(each.brief, 90)}"
    if waits:
        yield "\nIt waits to be approved:"
        for verb in _DECIDING:
            yield f"  {options.to_type('orchestration', found.orchestration_id, *verb)}"


def _round(round: RoundView) -> Iterator[str]:
    text = f"{round.verb}  {round.status}  {output.span(round.created_at, round.ended_at)}"
    text += "".join(f"  {_MARKS[each.change]}{each.subtask}" for each in round.changes)
    text += "".join(f"  {subtask} to {agent}" for subtask, agent in round.chosen.items())
    if round.reason:
        text += f"  {output.cut(round.reason, 60)}"
    yield text if round.error is None else f"{text}  {output.headline(round.error.message)}"
    yield from (f"  {line}" for line in _fields(round.changes))
    if round.approval is not None:
        yield from (f"  {line}" for line in _approval(round.approval))


def _fields(changes: Sequence[SubtaskChange]) -> Iterator[str]:
    """What has changed of which subtask, a line for each field."""
    for each in changes:
        for field in each.fields:
            before, after = (output.cut(_short(one), 40) for one in (field.before, field.after))
            yield f"~{each.subtask}  {field.field}: {before} → {after}"


def _short(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _approval(asked: PlanApproval) -> Iterator[str]:
    for each in asked.edits:
        marks = "".join(f"  {_MARKS[one.change]}{one.subtask}" for one in each.changes)
        why = f"  {output.cut(each.reason, 60)}" if each.reason else ""
        yield f"edited by {each.by}, {output.local(each.at)}{marks}{why}"
        yield from (f"  {line}" for line in _fields(each.changes))
    digest = asked.digest[:_SHOWN_OF_DIGEST]
    if asked.status == "withdrawn":
        yield f"withdrawn before anybody decided  {digest}"
    elif asked.at is None:
        why = f", since {asked.why}" if asked.why else ""
        yield f"waits to be approved  {digest}{why}"
    else:
        why = f"  {output.cut(asked.reason, 60)}" if asked.reason else ""
        yield f"{asked.status} by {asked.by}, {output.local(asked.at)}  {digest}{why}"


def _subtask(subtask: SubtaskView) -> Line:
    optional = "" if subtask.required else "  optional"
    text = f"{subtask.subtask}  {output.cut(subtask.title, 50)}  {subtask.status}{optional}"
    if not subtask.attempts:
        text += f"  by {subtask.agent}"
    if subtask.depends_on:
        text += f"  after {', '.join(subtask.depends_on)}"
    if subtask.attempts:
        text += f"  {output.used(subtask.usage)}"
    elif subtask.reasons:
        text += f"  {'; '.join(subtask.reasons)}"
    below = [_ordered(each) for each in subtask.orders] + [
        _attempt(each) for each in subtask.attempts
    ]
    marks = {"working": "open", "waiting": "queued", "skipped": "cancelled"}
    status = marks.get(subtask.status, subtask.status)
    return Line(status, text, below)


def _ordered(order: SubtaskOrder) -> Line:
    to = "" if order.agent is None else f" to {order.agent}"
    why = f"  {output.cut(order.reason, 60)}" if order.reason else ""
    return Line("ok", f"{order.verb}{to} by {order.by}, {output.local(order.at)}{why}")


def _attempt(attempt: AttemptView) -> Line:
    why = "" if attempt.why == "first" else f"  ({_AFTER.get(attempt.why, attempt.why)})"
    by = "" if attempt.stopped_by is None else f" by {attempt.stopped_by}"
    text = f"{attempt.agent}  {attempt.status}{by}{why}"
    if attempt.began_at is not None:
        text += f"  {output.span(attempt.began_at, attempt.ended_at)}"
    if attempt.task_id is not None:
        text += f"  {attempt.task_id}"
    if attempt.reasons:
        text += f"  {output.headline('; '.join(attempt.reasons))}"
    return Line(_SHOWN_AS.get(attempt.status, attempt.status), text)
