"""Tasks: one by itself, and a person's answer in the genie's place."""

from __future__ import annotations

from fastapi import APIRouter, Response

from lampwork.server.authority import May
from lampwork.server.lists import accepted
from lampwork.server.requests import Body, ExactRoute
from lampwork.server.serving import Here, TaskId
from lampwork.types import Json
from lampwork.views import JobView, TaskDetails

router = APIRouter(route_class=ExactRoute, tags=["tasks"], prefix="/api/tasks/{task_id}")


@router.get("")
async def get_task(who: May.see, task: TaskId, here: Here) -> TaskDetails:
    """A task in full; what was said in it is in its conversation."""
    return await here.insights.task(task)


class Answered(Body):
    """A person's answer."""

    answer: Json
    note: str | None = None


@router.post("/answer", status_code=202)
async def answer_task(
    who: May.decide, task: TaskId, here: Here, given: Answered, response: Response
) -> JobView:
    """Answer a task that waits, or has failed, in the genie's place: the job that goes on."""
    job = await here.door.answer_task(task, given.answer, by=who.name, note=given.note)
    return await accepted(here, job.job_id, response)
