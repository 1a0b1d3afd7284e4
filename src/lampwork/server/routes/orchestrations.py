"""Orchestrations: the ledger of one, and what people decide about its plan and its subtasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from lampwork.server.authority import May
from lampwork.server.requests import Body, ExactRoute
from lampwork.server.serving import Here
from lampwork.types import Json
from lampwork.views import OrchestrationView

router = APIRouter(
    route_class=ExactRoute, tags=["orchestrations"], prefix="/api/tasks/{task_id}/orchestration"
)


async def _orchestration_here(task_id: str, here: Here) -> str:
    await here.insights.require_orchestration(task_id)
    return task_id


Orchestration = Annotated[str, Depends(_orchestration_here)]
"""The id of a task of this project, or that of a job with one orchestration.

Raises TaskNotFound and JobNotFound, as for a TaskId."""


@router.get("")
async def get_orchestration(who: May.see, task: Orchestration, here: Here) -> OrchestrationView:
    """The ledger of an orchestrator's task: plan, revisions, each attempt with its verdict."""
    return await here.insights.orchestration(task)


class Decision(Body):
    """The word of a person on a plan."""

    digest: str = Field(description="Of the plan that was seen, from its round's `approval`.")
    reason: str = ""


@router.post("/plan/approve", status_code=202)
async def approve_plan(
    who: May.decide, task: Orchestration, here: Here, said: Decision
) -> OrchestrationView:
    """Let the plan be carried out that waits for that."""
    await here.door.approve_plan(task, by=who.name, **said.model_dump())
    return await here.insights.orchestration(task)


@router.post("/plan/reject", status_code=202)
async def reject_plan(
    who: May.decide, task: Orchestration, here: Here, said: Decision
) -> OrchestrationView:
    """Let such a plan not be carried out: its orchestrator is told why, and may plan again."""
    await here.door.reject_plan(task, by=who.name, **said.model_dump())
    return await here.insights.orchestration(task)


class Edit(Decision):
    """A plan as a person would have it."""

    subtasks: Json = Field(description="All of them, as a round's `plan` has them.")


@router.post("/plan/edit", status_code=202)
async def edit_plan(
    who: May.decide, task: Orchestration, here: Here, edit: Edit
) -> OrchestrationView:
    """Propose other subtasks instead; they are checked like the model's, and wait in their turn."""
    await here.door.edit_plan(task, by=who.name, **edit.model_dump())
    return await here.insights.orchestration(task)


# --- a subtask by hand ---

Subtask = Annotated[str, Path(min_length=1, max_length=200, description="A subtask's id.")]


class ByHand(Body):
    """Why a person steps in."""

    reason: str = ""


class AnswerOfSubtask(ByHand):
    """A person's answer."""

    answer: Json


@router.post("/subtasks/{subtask}/answer", status_code=202)
async def answer_subtask(
    who: May.decide, task: Orchestration, here: Here, subtask: Subtask, given: AnswerOfSubtask
) -> OrchestrationView:
    """Answer a subtask in its agent's place."""
    said = given.model_dump()
    await here.door.answer_subtask(task, subtask, by=who.name, **said)
    return await here.insights.orchestration(task)


class Reassigned(ByHand):
    """Who is to do it."""

    agent: str


@router.post("/subtasks/{subtask}/reassign", status_code=202)
async def reassign_subtask(
    who: May.decide, task: Orchestration, here: Here, subtask: Subtask, given: Reassigned
) -> OrchestrationView:
    """Give a subtask to another agent of its orchestrator."""
    await here.door.reassign_subtask(task, subtask, by=who.name, **given.model_dump())
    return await here.insights.orchestration(task)


@router.post("/subtasks/{subtask}/retry", status_code=202)
async def retry_subtask(
    who: May.decide, task: Orchestration, here: Here, subtask: Subtask, given: ByHand
) -> OrchestrationView:
    """Have a subtask tried anew, as it was planned."""
    await here.door.retry_subtask(task, subtask, by=who.name, reason=given.reason)
    return await here.insights.orchestration(task)


@router.post("/subtasks/{subtask}/skip", status_code=202)
async def skip_subtask(
    who: May.decide, task: Orchestration, here: Here, subtask: Subtask, given: ByHand
) -> OrchestrationView:
    """Have a subtask not done: what depends on it goes on as if it had failed."""
    await here.door.skip_subtask(task, subtask, by=who.name, reason=given.reason)
    return await here.insights.orchestration(task)
