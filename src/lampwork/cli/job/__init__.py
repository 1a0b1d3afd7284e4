"""`lampwork job ID`: one job, and what can be done about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, get_args

import click

from lampwork.cli import completing, output
from lampwork.cli.ended import delivered, orchestrations, summary
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, examples, of_project
from lampwork.cli.reading import of_job
from lampwork.cli.screen import tree
from lampwork.cli.source import Source
from lampwork.cli.working import code_changed, job_lacking, warn_if_lacking
from lampwork.types import Resolution
from lampwork.views import ErrorView, Executor, JobDetails, JobTree, JobView, to_json

_LISTED = 30
"""Calls that an error names; of more, the first ones."""

_RESOLUTIONS: tuple[Resolution, ...] = get_args(Resolution)


@click.group(
    "job",
    cls=Noun,
    which="ID",
    parameter="job_id",
    of=completing.job_id,
    epilog=examples("lampwork job j01m7wbx3ejz021kz99"),
)
def command() -> None:
    """Show a job: its status, what it waits for, its calls and the jobs below it.

    A verb after the ID does something about it. All take --json and --home.
    """


@command.verb("show", hidden=True)
def show(job_id: str, options: Options) -> int:
    """Show a job."""

    async def read(source: Source) -> tuple[JobDetails, Executor | None]:
        job = await source.job(job_id)
        return job, await source.executing(job.project)

    job, executor = of_job(options, job_id, read)
    if options.as_json:
        output.say_json(to_json(job))
        return 0
    for line in _lines(job, options):
        output.say(line)
    if job.ended_at is None:
        warn_if_lacking(executor, job.project, options)
    return 0


@command.verb("cancel", epilog=examples("lampwork job j01m7wbx3ejz021kz99 cancel"))
def cancel(job_id: str, options: Options) -> int:
    """Cancel it and all jobs below it; what executes gets some seconds to end."""

    async def do(source: Source) -> str:
        await source.cancel(job_id)
        return f"Job {job_id} is being cancelled."

    return _do(options, job_id, do)


@command.verb(
    "send",
    epilog=examples(
        "lampwork job j01m7wbx3ejz021kz99 send colour '\"red\"'",
        'lampwork job j01m7wbx3ejz021kz99 send order \'{"item": "lamp"}\'',
    ),
)
@click.argument("name", type=completing.event)
@click.argument("value", metavar="JSON", default="null")
def send(job_id: str, name: str, value: str, options: Options) -> int:
    """Send it the event NAME, which it waits for now or later."""
    from lampwork.cli.run import read_json

    event = read_json("The value", value, example='"text"')

    async def do(source: Source) -> str:
        waits = (await source.view(job_id)).waiting_on
        await source.send_event(job_id, name, event)
        names = [str((each.subject or {})["name"]) for each in waits if each.kind == "event"]
        if names and name not in names:
            waited_for = ", ".join(f'"{each}"' for each in names)
            output.warn(
                f'Job {job_id} waits for {waited_for}; "{name}" is kept until it is waited for.'
            )
        return f"Sent {name} to job {job_id}."

    return _do(options, job_id, do)


@command.verb(
    "resolve",
    epilog=examples(
        "lampwork job j01m7wbx3ejz021kz99 resolve w01m7wbx3ejz021kz99.1.2.0 did_not_happen",
        "lampwork job j01m7wbx3ejz021kz99 resolve w01m7wbx3ejz021kz99.1.2.0 happened "
        """--result '"receipt 7"'""",
    ),
)
@click.argument("wait_id", metavar="WAIT", type=completing.wait, required=False)
@click.argument("resolution", type=click.Choice(_RESOLUTIONS), required=False)
@click.option(
    "--result", metavar="JSON", default="null", help="What it returned, of what happened."
)
@click.option("--reason", metavar="TEXT", default="", help="Why, for the record.")
def resolve(
    job_id: str,
    wait_id: str | None,
    resolution: Resolution | None,
    result: str,
    reason: str,
    options: Options,
) -> int:
    """Say what became of an effect whose outcome is unknown.

    `happened`, with its --result; `did_not_happen`: it is done then; or `fail`.
    """
    from lampwork.cli.run import read_json

    if wait_id is None or resolution is None:
        raise click.UsageError(of_job(options, job_id, lambda source: _unknown(source, job_id)))
    returned = read_json("--result", result, example='"text"')

    async def do(source: Source) -> str:
        await source.resolve(job_id, wait_id, resolution, result=returned, reason=reason)
        return f"Resolved {wait_id}: {resolution}."

    return _do(options, job_id, do)


async def _unknown(source: Source, job_id: str) -> str:
    """What of a job can be resolved."""
    waits = (await source.view(job_id)).waiting_on
    named = [f"{each.wait_id} ({each.what})" for each in waits if each.kind == "resolution"]
    has = "; ".join(named) or "none whose outcome is unknown"
    return (
        f"Name the wait, and what became of it. Job {job_id} has: {has}. "
        f"Then type one of: {', '.join(_RESOLUTIONS)}."
    )


def _deciding(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """A verb that decides on what is proposed to the user of a chat."""

    def define(fn: Callable[..., int]) -> click.Command:
        wait = click.argument("wait_id", metavar="WAIT", type=completing.confirmation)
        by = click.option("--by", metavar="NAME", help="The user of the chat; you, by default.")
        typed = f"lampwork job j01m7wbx3ejz021kz99 {name} w01m7wbx3ejz021kz99.1.2.0.c1"
        return command.verb(name, epilog=examples(typed))(wait(by(fn)))

    return define


@_deciding("confirm")
def confirm(job_id: str, wait_id: str, by: str | None, options: Options) -> int:
    """Let a skill call be done that waits for its user's confirmation.

    Look at the job first: it shows what would be done. Only the user of the chat can decide.
    """

    async def do(source: Source) -> str:
        subject = await source.subject_of(job_id, wait_id)
        await source.confirm(job_id, wait_id, digest=str(subject.get("digest")))
        return f"Confirmed: {_proposed(subject)}"

    return _do(options, job_id, do, by=by)


@_deciding("reject")
@click.option("--reason", metavar="TEXT", default="", help="Why, for the genie and the record.")
def reject(job_id: str, wait_id: str, by: str | None, reason: str, options: Options) -> int:
    """Let a skill call not be done that waits for its user's confirmation.

    The genie is told so, with the reason.
    """

    async def do(source: Source) -> str:
        subject = await source.subject_of(job_id, wait_id)
        digest = str(subject.get("digest"))
        await source.reject(job_id, wait_id, digest=digest, reason=reason)
        return f"Rejected: {_proposed(subject)}"

    return _do(options, job_id, do, by=by)


def _proposed(subject: dict[str, Any]) -> str:
    return f"{subject['skill']}({output.arguments(subject['arguments'], 1000)})"


@command.verb(
    "answer",
    epilog=examples(
        'lampwork job j01m7wbx3ejz021kz99 answer \'{"status": "approved"}\' --note "by phone"'
    ),
)
@click.argument("words", nargs=-1, required=True, metavar="[TASK] JSON")
@click.option("--by", metavar="NAME", help="Who answers, for the record; you, by default.")
@click.option("--note", metavar="TEXT", help="What else to know, for people.")
@of_project
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be.")
def answer(
    job_id: str,
    words: tuple[str, ...],
    by: str | None,
    note: str | None,
    project: str | None,
    options: Options,
    **how: bool,
) -> int:
    """Answer its task that waits, or has failed, in the genie's place.

    The answer is checked like the genie's, and is marked as a person's. If the task has failed, the
    job has as well: a retry of it goes on with the answer, and what would happen again is shown
    first.
    """
    from lampwork.cli.job import answering

    return answering.answer(options, job_id, words, by=by, note=note, project=project, **how)


@command.verb("go-on", epilog=examples("lampwork job j01m7wbx3ejz021kz99 go-on"))
def go_on(job_id: str, options: Options) -> int:
    """Let it run again, after a stop for attention and once its code is mended.

    One that `lampwork dev` keeps on older code goes on with the code of today.
    """

    async def do(source: Source) -> str:
        attention = (await source.view(job_id)).attention
        await source.go_on(job_id)
        done = f"Job {job_id} goes on."
        if code_changed(attention):
            done += f" If its code still differs it stops again: {options.to_type('upgrade-check')}"
        return done

    return _do(options, job_id, do)


def _copying(name: str, example: str) -> Callable[[Callable[..., int]], click.Command]:
    """A verb that makes a copy, after a look at its plan."""

    def define(fn: Callable[..., int]) -> click.Command:
        yes = click.option("--yes", is_flag=True, help="Do it without asking.")
        plan = click.option("--plan", "only_plan", is_flag=True, help="Only show what would be.")
        return command.verb(name, epilog=examples(example))(yes(plan(fn)))

    return define


@_copying("retry", "lampwork job j01m7wbx3ejz021kz99 retry --plan")
def retry(job_id: str, options: Options, **how: bool) -> int:
    """Do it again from the call that failed it, as a new job that keeps what succeeded.

    What would happen again is shown first.
    """
    from lampwork.cli.job.copying import copy

    return copy(options, job_id, lambda source: source.plan_retry(job_id), **how)


@_copying("rerun", "lampwork job j01m7wbx3ejz021kz99 rerun --yes")
def rerun(job_id: str, options: Options, **how: bool) -> int:
    """Do all of it again from the same input, as a new job.

    What would happen again is shown first.
    """
    from lampwork.cli.job.copying import copy

    return copy(options, job_id, lambda source: source.plan_rerun(job_id), **how)


@_copying("fork", "lampwork job j01m7wbx3ejz021kz99 fork --at 3")
@click.option("--at", type=int, metavar="N", help="The first call to make anew; needed.")
def fork(job_id: str, at: int | None, options: Options, **how: bool) -> int:
    """Do it again from its call --at N, as a new job that keeps the calls before it.

    What would happen again is shown first; without --at, which calls there are.
    """
    from lampwork.cli.job.copying import copy

    if at is None:
        raise click.UsageError(of_job(options, job_id, lambda source: _places(source, job_id)))
    return copy(options, job_id, lambda source: source.plan_fork(job_id, at=at), **how)


async def _places(source: Source, job_id: str) -> str:
    """Where a job can be forked."""
    calls = (await source.job(job_id)).calls
    if not calls:
        return f"Job {job_id} has made no call to fork it at: rerun it."
    listed = "; ".join(f"{each.number} {each.kind} {each.name}" for each in calls[:_LISTED])
    more = f"; and {len(calls) - _LISTED} more" if len(calls) > _LISTED else ""
    return f"Say at which call of job {job_id}: --at N. Its calls: {listed}{more}."


def _do(
    options: Options,
    job_id: str,
    act: Callable[[Source], Awaitable[str]],
    *,
    by: str | None = None,
) -> int:
    """Do something about a job, and say what was done, as `act` returns it."""

    async def do(source: Source) -> tuple[str, JobDetails, Executor | None]:
        done = await act(source)
        job = await source.job(job_id)
        return done, job, await source.executing(job.project)

    done, job, executor = of_job(options, job_id, do, by=by)
    if options.as_json:
        output.say_json(to_json(job))
        return 0
    output.say(done)
    lacking = job_lacking(executor, job.project, options)
    if job.ended_at is None and lacking is not None:
        output.say(lacking)
    return 0


# --- a job for people ---


def _lines(job: JobDetails, options: Options) -> Iterator[str]:
    yield f"Job {job.job_id}: {job.title}, {job.status}" + (
        " (being cancelled)" if job.cancelling else ""
    )
    yield from _facts(job, on_server=options.has_many_workers)
    if job.waiting_on:
        yield "\nWaits for"
        yield from _waits(job, options)
    if job.calls:
        yield "\nCalls"
        for call in job.calls:
            yield from (f"  {line}" for line in tree.plain(tree.of_call(call)))
    if job.after_end:
        yield "\nAfter its end"
        yield from (f"  {each.job_id}  {each.title}  {each.status}" for each in job.after_end)
    if job.copies:
        yield "\nCopies"
        for each in job.copies:
            answered = "".join(f"  {task} answered by {by}" for task, by in each.answered.items())
            yield f"  {each.job_id}  {_copied(each)}  {each.status}{answered}"
    for task_id in orchestrations(job):
        yield f"\nWho did what: {options.to_type('orchestration', task_id)}"
    if saved := _artifacts(job):
        yield "\nArtifacts"
        for conversation, name, what in saved:
            yield f"  {what}"
            yield f"    {options.to_type('conversation', conversation, 'artifact', name)}"
    if job.log:
        yield "\nLog"
        yield from (f"  {output.local(line.at)}  {line.message}" for line in job.log)
    if job.error is not None:
        yield f"\nError ({job.error.code})\n{output.indented(job.error.message)}"
    if job.traceback:
        yield f"\n{output.indented(_without_message(job.traceback, job.error))}"
    retried = any(
        each.retry_of is not None and each.status not in ("failed", "cancelled")
        for each in job.copies
    )
    if job.status == "failed" and job.parent is None and not retried:
        yield f"\nTry again: {options.to_type('job', job.job_id, 'retry')}"
    if job.status == "succeeded":
        yield f"\nOutput\n{output.indented(output.pretty(summary(job)['output']))}"


def _facts(job: JobDetails, *, on_server: bool) -> Iterator[str]:
    yield f"  input     {output.inline(job.input)}"
    at = job.trigger.get("at")
    moment = {} if at is None else {"at": output.local(datetime.fromisoformat(at))}
    yield f"  trigger   {output.inline(job.trigger | moment)}"
    if job.parent is not None:
        yield f"  parent    {job.parent}"
    if (copied := _copied(job)) is not None:
        place = "" if job.forked_at is None else f" at call {job.forked_at}"
        yield f"  copied    {copied}{place}"
    if job.usage:
        yield f"  used      {output.used(job.usage)}"
    yield f"  version   {job.version} of {job.project}"
    if on_server and job.worker is not None:
        yield f"  worker    {output.short(job.worker)}"
    if job.kept_code is not None:
        yield f"  kept      on code {job.kept_code}, by lampwork dev"
    if job.restored is not None:
        backup_at = output.local(job.restored.backup_at)
        yield f"  restored  from a backup of {backup_at}; what it does now may have been done after"
        yield "            it: the same keys are used again, and at_most_once effects are asked for"
    yield f"  accepted  {output.local(job.created_at)}"
    if job.started_at is not None:
        yield f"  started   {output.local(job.started_at)}"
    if job.ended_at is not None:
        took = output.span(job.started_at or job.created_at, job.ended_at)
        yield f"  ended     {output.local(job.ended_at)}, after {took}"
    if job.erased_at is not None:
        yield f"  erased    {output.local(job.erased_at)}: what it was given and returned is gone"


def _without_message(traceback: str, error: ErrorView | None) -> str:
    """A traceback in which the message stands in short, since it has been shown in full."""
    text, message = traceback.rstrip(), "" if error is None else error.message.rstrip()
    ends = (message[i:] for i in range(len(message)) if text.endswith(message[i:]))
    shown = next(ends, "")
    return text.replace(shown, output.headline(shown)) if shown else text


def _copied(job: JobView) -> str | None:
    """What a copy is of which job."""
    for kind, original in (
        ("retry", job.retry_of),
        ("rerun", job.rerun_of),
        ("fork", job.fork_of),
    ):
        if original is not None:
            return f"{kind} of job {original}"
    return None


def _artifacts(job: JobDetails) -> list[tuple[str, str, str]]:
    """What skills have saved for it, and then what its answer has beside: where, its name, and how
    it is shown.
    """
    saved = list(_saved(job))
    digests = {digest for _, digest, *_ in saved}
    found = [(where, name, f"{name}  {what}") for where, _, name, what in saved]
    for file in delivered(job):
        if file["digest"] not in digests:
            shown = f"{file['name']}  {file['media_type']}, {output.size(file['size'])}"
            found.append((file["conversation_id"], file["name"], shown))
    return found


def _saved(job: JobTree) -> Iterator[tuple[str, str, str, str]]:
    """What skills of its tasks, and of those below, have saved: where, digest, name and kind."""
    for call in job.calls:
        for card in () if call.task is None else call.task.skill_calls:
            for file in card.artifacts:
                assert call.task is not None
                what = f"{file.media_type}, {output.size(file.size)}"
                yield call.task.conversation_id, file.digest, file.name, what
        for child in call.jobs:
            yield from _saved(child)


def _waits(job: JobDetails, options: Options) -> Iterator[str]:
    def lines(job_id: str, waits: tuple[Any, ...], by: str) -> Iterator[str]:
        for wait in waits:
            yield f"{by}{tree.waits_for(wait)}"
            yield from (f"{by}  {each}" for each in tree.remedies(options, job_id, wait))
            yield from lines(wait.job or job_id, wait.waiting_on, f"{by}  ")

    return lines(job.job_id, job.waiting_on, "  ")
