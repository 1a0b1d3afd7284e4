"""The end of an orchestration: its answer with sections, or what is missing of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lampwork.errors import (
    LampworkError,
    OrchestrationFailed,
    OrchestrationPartial,
    OutputInvalid,
    PlanRejected,
    SkillFailing,
    TaskNotCompleted,
    TurnLimitReached,
)
from lampwork.orchestrators.record import accepted
from lampwork.tasks.answer import Section
from lampwork.tasks.task import Ending, failed
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.store.store import Store
    from lampwork.tasks.task import TaskInHand

__all__ = ["conclude"]

_UNANSWERED = (TaskNotCompleted, OutputInvalid, PlanRejected, TurnLimitReached, SkillFailing)
"""Ends of the orchestrator's own, beside which the work of its agents counts."""


async def conclude(task: TaskInHand, ending: Ending) -> Ending:
    """The end of an orchestrator's task, by what became of its subtasks.

    In a chat its words are the reply, whatever became of them.
    """
    subtasks = _subtasks(task)
    if task.assignment.user is not None or not subtasks:
        return ending
    if ending.error is not None and not isinstance(ending.error, _UNANSWERED):
        return ending
    succeeded = [each for each in subtasks if each["status"] == "succeeded"]
    missing: list[dict[str, Json]] = [
        {"subtask": each["subtask"], "title": each["title"], "reasons": each["reasons"]}
        for each in subtasks
        if each["required"] and each["status"] != "succeeded"
    ]
    sections = await _sections(task.hold.run.store, succeeded)
    if not succeeded:
        return _instead(ending, _failed(task, missing))
    if ending.error is None and not missing:
        return _answered(ending, {"sections": sections})
    found: dict[str, Json] = {"sections": sections, "missing": missing}
    if task.assignment.allow_partial:
        return _answered(ending, found | {"status": "partial"})
    if not missing:
        return ending
    return _instead(ending, _partial(task, found, subtasks))


def _subtasks(task: TaskInHand) -> Sequence[dict[str, Any]]:
    """What the last round says of each subtask; nothing without one."""
    alone = task.genie.one_at_a_time
    for each in reversed(task.hold.transcript.results):
        if each.skill in alone and each.error is None:
            return each.value["subtasks"]
    return ()


async def _sections(store: Store, succeeded: Sequence[dict[str, Any]]) -> list[Json]:
    found: list[Json] = []
    for each, answer in zip(succeeded, await accepted(store, succeeded), strict=True):
        section = Section(
            subtask=each["subtask"],
            title=each["title"],
            agent=each["agent"],
            task_id=answer.task_id,
            conversation_id=answer.conversation_id,
            output=answer.output,
            response=answer.response,
            artifacts=answer.artifacts,
        )
        found.append(section.to_json())
    return found


def _answered(ending: Ending, more: dict[str, Json]) -> Ending:
    *before, (kind, body) = ending.entries
    if kind != "answered":
        error = ending.error
        body = {"output": None, "response": "" if error is None else error.message}
    artifacts = {
        artifact["digest"]: artifact
        for section in more["sections"]
        for artifact in section["artifacts"]
    }
    return Ending([*before, ("answered", body | more | {"artifacts": list(artifacts.values())})])


def _instead(ending: Ending, error: LampworkError) -> Ending:
    *before, (kind, body) = ending.entries
    if kind == "answered":
        error.fields["partial"] = body["response"]
    return replace(ending, entries=[*before, failed(error)], error=error)


def _failed(task: TaskInHand, missing: Sequence[dict[str, Any]]) -> OrchestrationFailed:
    return OrchestrationFailed(
        f'Orchestrator "{task.genie.name}" has nothing to show: {_named(missing)}. '
        f"`lampwork orchestration {task.hold.task_id}` shows each attempt.",
        missing=list(missing),
    )


def _partial(
    task: TaskInHand, found: dict[str, Any], subtasks: Sequence[dict[str, Any]]
) -> OrchestrationPartial:
    done = len(found["sections"])
    return OrchestrationPartial(
        f'Orchestrator "{task.genie.name}" has {done} of {len(subtasks)} subtasks: '
        f"{_named(found['missing'])}. Assign it with allow_partial=True to be given what there is. "
        f"`lampwork orchestration {task.hold.task_id}` shows each attempt.",
        **found,
    )


def _named(missing: Sequence[dict[str, Any]]) -> str:
    said = [f'"{each["subtask"]}" has failed ({"; ".join(each["reasons"])})' for each in missing]
    return "; ".join(said) or "no subtask has succeeded"
