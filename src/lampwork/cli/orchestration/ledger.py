"""An orchestration in text: its rounds, its subtasks with all attempts, and what waits for whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lampwork.cli import output
from lampwork.cli.options import Options
from lampwork.cli.orchestration.comparison import MARKS, in_short
from lampwork.cli.screen.tree import Line, each_wait, plain, remedies, waits_for
from lampwork.views import (
    AttemptView,
    OrchestrationView,
    PlanApproval,
    RoundView,
    SubtaskChange,
    SubtaskOrder,
    SubtaskView,
)

__all__ = ["SHOWN_OF_DIGEST", "lines_of"]

_AFTER = {"asked_again": "asked again", "refused": "not assigned", "by_hand": "by hand"}
_SHOWN_AS = {
    "accepted": "ok",
    "rejected": "failed",
    "judging": "open",
    "working": "open",
    "stopped": "cancelled",
}
_SHOWN_OF_REASON = 400
"""Characters: the cause of a failure often stands last."""
_DECIDING = (("plan",), ("approve",), ("reject", "--reason", "TEXT"), ("edit", "FILE"))

SHOWN_OF_DIGEST = 12
"""Characters of it."""


def lines_of(found: OrchestrationView, options: Options) -> Iterator[str]:
    """An orchestration for people."""
    yield f"Orchestration {found.orchestration_id} of {found.orchestrator}: {found.status}"
    yield f"  {output.cut(found.instructions, 90)}"
    yield (
        f"  {output.span(found.created_at, found.ended_at)}  {output.used(found.usage)}  "
        f"job {found.job_id}  conversation {found.conversation_id}"
    )
    if found.error is not None:
        yield f"  {output.headline(found.error.message, _SHOWN_OF_REASON)}"
    for each in found.artifacts:
        read = options.to_type("conversation", found.conversation_id, "artifact", each.name)
        yield f"  {each.name}  {each.media_type}, {output.size(each.size)}  {read}"
    yield "\nPlan"
    for number, each in enumerate(found.rounds, 1):
        yield from (f"  {line}" for line in _round(number, each))
    if any(one.fields for each in found.rounds[1:] for one in each.changes):
        typed = options.to_type("orchestration", found.orchestration_id, "compare")
        yield f"  # all that has changed: {typed}"
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
    if others := list(_waits(found, options)):
        yield "\nWaits for"
        yield from others


def _waits(found: OrchestrationView, options: Options) -> Iterator[str]:
    """What waits for people below it, but for its own plan, and what they may type."""
    for job_id, wait in each_wait(found.job_id, found.waiting_on):
        of = (wait.subject or {}).get("orchestration")
        typed = remedies(options, job_id, wait)
        if of != found.orchestration_id and (typed or wait.kind == "answered"):
            yield f"  {waits_for(wait)}"
            yield from (f"    {each}" for each in typed)


def _round(number: int, round: RoundView) -> Iterator[str]:
    status = "carried out" if round.status == "succeeded" else round.status
    text = f"{number}  {round.verb}  {status}  {output.span(round.created_at, round.ended_at)}"
    text += "".join(f"  {MARKS[each.change]}{each.subtask}" for each in round.changes)
    text += "".join(f"  {subtask} to {agent}" for subtask, agent in round.chosen.items())
    if round.reason:
        text += f"  {output.cut(round.reason, 60)}"
    if round.error is not None:
        text += f"  {output.headline(round.error.message, _SHOWN_OF_REASON)}"
    yield text
    yield from (f"  {line}" for line in _fields(round.changes))
    if round.approval is not None:
        yield from (f"  {line}" for line in _approval(round.approval))


def _fields(changes: Sequence[SubtaskChange]) -> Iterator[str]:
    """What has changed of which subtask, a line for each field."""
    for each in changes:
        for field in each.fields:
            yield f"~{each.subtask}  {field.field}: {in_short(field)}"


def _approval(asked: PlanApproval) -> Iterator[str]:
    for each in asked.edits:
        marks = "".join(f"  {MARKS[one.change]}{one.subtask}" for one in each.changes)
        why = f"  {output.cut(each.reason, 60)}" if each.reason else ""
        yield f"edited by {each.by}, {output.local(each.at)}{marks}{why}"
        yield from (f"  {line}" for line in _fields(each.changes))
    digest = asked.digest[:SHOWN_OF_DIGEST]
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
        text += f"  {output.headline('; '.join(attempt.reasons), _SHOWN_OF_REASON)}"
    return Line(_SHOWN_AS.get(attempt.status, attempt.status), text)
