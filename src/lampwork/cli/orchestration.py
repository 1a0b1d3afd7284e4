"""`lampwork orchestration`: the ledger of one, as a tree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.reading import reading
from lampwork.cli.screen.tree import Line, plain
from lampwork.errors import TaskNotFound
from lampwork.insights import Insights
from lampwork.views import AttemptView, OrchestrationView, RoundView, SubtaskView, to_json

_AFTER = {"asked_again": "asked again", "refused": "not assigned"}
_SHOWN_AS = {"accepted": "ok", "rejected": "failed", "judging": "open", "working": "open"}


@click.command("orchestration", epilog=examples("lampwork orchestration t01hxq3k9v2m7c4d8e0f5.1"))
@click.argument("id")
@shared
def command(id: str, options: Options) -> int:
    """Show an orchestration: its plan and revisions, each attempt with verdict, time and cost.

    ID is that of the orchestrator's task, or of the job that assigned it.
    """

    async def look(insights: Insights) -> OrchestrationView:
        return await insights.orchestration(id)

    found = asyncio.run(reading(options, look))
    if found is None:
        raise TaskNotFound(f"There is no task {id}: nothing is in {options.settings.place}.")
    if options.as_json:
        output.say_json(to_json(found))
    else:
        for line in _lines(found):
            output.say(line)
    return 0


def _lines(found: OrchestrationView) -> Iterator[str]:
    yield f"Orchestration {found.orchestration_id} of {found.orchestrator}: {found.status}"
    yield f"  {output.cut(found.instructions, 90)}"
    yield (
        f"  {output.span(found.created_at, found.ended_at)}  {output.used(found.usage)}  "
        f"job {found.job_id}  conversation {found.conversation_id}"
    )
    if found.error is not None:
        yield f"  {output.headline(found.error.message)}"
    yield "\nPlan"
    for each in found.rounds:
        yield f"  {_round(each)}"
    yield "\nSubtasks"
    for each in found.subtasks:
        yield from plain(_subtask(each), 1)


def _round(round: RoundView) -> str:
    text = f"{round.verb}  {round.status}  {output.span(round.created_at, round.ended_at)}"
    for word, ids in (("+", round.added), ("~", round.changed), ("-", round.dropped)):
        text += "".join(f"  {word}{id}" for id in ids)
    text += "".join(f"  {subtask} to {agent}" for subtask, agent in round.chosen.items())
    if round.reason:
        text += f"  {output.cut(round.reason, 60)}"
    return text if round.error is None else f"{text}  {output.headline(round.error.message)}"


def _subtask(subtask: SubtaskView) -> Line:
    optional = "" if subtask.required else "  optional"
    text = f"{subtask.subtask}  {output.cut(subtask.title, 50)}  {subtask.status}{optional}"
    if subtask.depends_on:
        text += f"  after {', '.join(subtask.depends_on)}"
    if subtask.attempts:
        text += f"  {output.used(subtask.usage)}"
    elif subtask.reasons:
        text += f"  {'; '.join(subtask.reasons)}"
    marks = {"working": "open", "waiting": "queued", "skipped": "cancelled"}
    status = marks.get(subtask.status, subtask.status)
    return Line(status, text, [_attempt(each) for each in subtask.attempts])


def _attempt(attempt: AttemptView) -> Line:
    why = "" if attempt.why == "first" else f"  ({_AFTER.get(attempt.why, attempt.why)})"
    text = f"{attempt.agent}  {attempt.status}{why}"
    if attempt.began_at is not None:
        text += f"  {output.span(attempt.began_at, attempt.ended_at)}"
    if attempt.task_id is not None:
        text += f"  {attempt.task_id}"
    if attempt.reasons:
        text += f"  {output.headline('; '.join(attempt.reasons))}"
    return Line(_SHOWN_AS.get(attempt.status, attempt.status), text)
