"""The end of an orchestration: its answer with sections, or what is missing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
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
    joined,
)
from lampwork.files.artifact import Artifact
from lampwork.genies.report import is_report, report_in
from lampwork.orchestrators.page import Page, is_image
from lampwork.orchestrators.record import accepted
from lampwork.store import blobs
from lampwork.tasks.answer import Section
from lampwork.tasks.task import Ending, failed
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.store.store import Store
    from lampwork.tasks.task import TaskInHand
    from lampwork.tasks.transcript import Transcript

__all__ = ["conclude", "outcomes_in"]

_UNANSWERED = (TaskNotCompleted, OutputInvalid, PlanRejected, TurnLimitReached, SkillFailing)
"""Ends of the orchestrator's own, beside which the work of its agents counts."""

_ROOM = 24 * 1024 * 1024
"""Bytes of the images in a page. In it they take a third more, and it must stay an artifact."""


async def conclude(task: TaskInHand, ending: Ending) -> Ending:
    """The end of an orchestrator's task, by what became of its subtasks.

    In a chat its words are the reply, whatever became of them.
    """
    subtasks = outcomes_in(task.hold.transcript, task.genie.one_at_a_time)
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
    effects: list[Json] = [effect for each in subtasks for effect in each.get("effects", ())]
    if not succeeded:
        return _instead(ending, _failed(task, missing, subtasks), effects)
    found: dict[str, Json] = {"sections": [each.to_json() for each in sections]}
    if ending.error is None and not missing:
        return _answered(ending, found, await _files(task, ending, sections, missing))
    found |= {"missing": missing}
    if task.assignment.allow_partial:
        files = await _files(task, ending, sections, missing)
        return _answered(ending, found | {"status": "partial"}, files)
    if not missing:
        return ending
    return _instead(ending, _partial(task, found, subtasks), effects)


def outcomes_in(so_far: Transcript, verbs: Collection[str]) -> Sequence[dict[str, Any]]:
    """What the last round of one of these verbs says of each subtask; nothing without one."""
    for each in reversed(so_far.results):
        if each.skill in verbs and each.error is None:
            return each.value["subtasks"]
    return ()


async def _sections(store: Store, succeeded: Sequence[dict[str, Any]]) -> list[Section]:
    found: list[Section] = []
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
            answered_by=answer.answered_by,
        )
        found.append(section)
    return found


async def _files(
    task: TaskInHand,
    ending: Ending,
    sections: Sequence[Section],
    missing: Sequence[dict[str, Json]],
) -> list[Artifact]:
    """The page of its report, if it is to be one, and what the subtasks have produced."""
    saved = {each.digest: each for section in sections for each in section.artifacts}
    kind, body = ending.entries[-1]
    if kind != "answered" or not is_report(task.output):
        return list(saved.values())
    report = report_in(body["output"])
    images = await _images(task, [each for each in saved.values() if is_image(each)])
    page = await asyncio.to_thread(Page(report, sections, missing, images).html)
    artifact = Artifact.of("report.html", page, "text/html")
    await task.hold.save_artifact(artifact, page, call="report")
    return [artifact, *saved.values()]


async def _images(task: TaskInHand, wanted: Sequence[Artifact]) -> dict[str, bytes]:
    """The content of images by digest, as many as a page has room for."""
    found: dict[str, bytes] = {}
    room = _ROOM
    for each in wanted:
        if each.size <= room:
            room -= each.size
            found[each.digest] = await task.hold.run.store.read(blobs.get, each.digest)
    return found


def _answered(ending: Ending, more: dict[str, Json], files: Sequence[Artifact]) -> Ending:
    *before, (kind, body) = ending.entries
    if kind != "answered":
        error = ending.error
        body = {"output": None, "response": "" if error is None else error.message}
    artifacts = [each.to_json() for each in files]
    return Ending([*before, ("answered", body | more | {"artifacts": artifacts})])


def _instead(ending: Ending, error: LampworkError, effects: list[Json]) -> Ending:
    *before, (kind, body) = ending.entries
    if effects:
        error.fields["effects"] = effects  # of which nobody knows whether they have happened
    if kind == "answered":
        error.fields["partial"] = body["response"]
    return replace(ending, entries=[*before, failed(error)], error=error)


def _failed(
    task: TaskInHand, missing: Sequence[dict[str, Any]], subtasks: Sequence[dict[str, Any]]
) -> OrchestrationFailed:
    return OrchestrationFailed(
        f'Orchestrator "{task.genie.name}" has nothing to show: {_named(missing, subtasks)}. '
        f"`lampwork orchestration {task.hold.task_id}` shows each attempt.",
        missing=list(missing),
    )


def _partial(
    task: TaskInHand, found: dict[str, Any], subtasks: Sequence[dict[str, Any]]
) -> OrchestrationPartial:
    done = len(found["sections"])
    return OrchestrationPartial(
        f'Orchestrator "{task.genie.name}" has {done} of {len(subtasks)} subtasks: '
        f"{_named(found['missing'], subtasks)}. Assign it with allow_partial=True to be given what "
        f"there is. `lampwork orchestration {task.hold.task_id}` shows each attempt.",
        **found,
    )


def _named(missing: Sequence[dict[str, Any]], subtasks: Sequence[dict[str, Any]]) -> str:
    skipped = {each["subtask"] for each in subtasks if each["status"] == "skipped"}
    said = [
        f'"{each["subtask"]}" {"was skipped" if each["subtask"] in skipped else "has failed"} '
        f"({joined(each['reasons']).rstrip('.')})"
        for each in missing
    ]
    return "; ".join(said) or "no subtask has succeeded"
