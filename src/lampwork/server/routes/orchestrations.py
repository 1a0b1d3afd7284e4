"""Orchestrations: the ledger of one, and what people decide about its plan."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from lampwork.server.authority import May
from lampwork.server.requests import Body, ExactRoute
from lampwork.server.serving import Here, TaskId
from lampwork.types import Json
from lampwork.views import OrchestrationView

router = APIRouter(
    route_class=ExactRoute, tags=["orchestrations"], prefix="/api/tasks/{task_id}/orchestration"
)


@router.get("")
async def get_orchestration(who: May.see, task: TaskId, here: Here) -> OrchestrationView:
    """The ledger of an orchestrator's task: plan, revisions, each attempt with its verdict."""
    return await here.insights.orchestration(task)


class Decision(Body):
    """The word of a person on a plan."""

    digest: str = Field(description="Of the plan that was seen, from its round's `approval`.")
    reason: str = ""


@router.post("/plan/approve", status_code=202)
async def approve_plan(
    who: May.decide, task: TaskId, here: Here, said: Decision
) -> OrchestrationView:
    """Let the plan be carried out that waits for that."""
    await here.door.approve_plan(task, by=who.name, **said.model_dump())
    return await here.insights.orchestration(task)


@router.post("/plan/reject", status_code=202)
async def reject_plan(
    who: May.decide, task: TaskId, here: Here, said: Decision
) -> OrchestrationView:
    """Let such a plan not be carried out: its orchestrator is told why, and may plan again."""
    await here.door.reject_plan(task, by=who.name, **said.model_dump())
    return await here.insights.orchestration(task)


class Edit(Decision):
    """A plan as a person would have it."""

    subtasks: Json = Field(description="All of them, as a round's `plan` has them.")


@router.post("/plan/edit", status_code=202)
async def edit_plan(who: May.decide, task: TaskId, here: Here, edit: Edit) -> OrchestrationView:
    """Propose other subtasks instead; they are checked like the model's, and wait in their turn."""
    await here.door.edit_plan(task, by=who.name, **edit.model_dump())
    return await here.insights.orchestration(task)
