"""Tasks: one by itself, and a person's answer in the genie's place."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from lampwork.server.authority import May
from lampwork.server.contents import content, content_route
from lampwork.server.lists import accepted
from lampwork.server.requests import Body, Digest, ExactRoute
from lampwork.server.serving import Here, TaskId
from lampwork.types import Json
from lampwork.views import CopyPlan, JobView, TaskDetails

router = APIRouter(route_class=ExactRoute, tags=["tasks"], prefix="/api/tasks/{task_id}")


@router.get("")
async def get_task(who: May.see, task: TaskId, here: Here) -> TaskDetails:
    """A task in full; what was said in it is in its conversation."""
    return await here.insights.task(task)


@content_route(router, "/files/{name}")
async def get_file(who: May.see, task: TaskId, here: Here, name: str, request: Request) -> Response:
    """The content of a file that the task was given; or a range."""
    return await content(request, *await here.insights.given_file(task, name))


@content_route(router, "/artifacts/{name}")
async def get_artifact_of_task(
    who: May.see,
    task: TaskId,
    here: Here,
    name: str,
    request: Request,
    digest: Annotated[Digest | None, Query(description="Of one of those of that name.")] = None,
) -> Response:
    """The content of a file that the task has saved, the last one of that name; or a range."""
    return await content(request, *await here.insights.saved_file(task, name, digest=digest))


class Answered(Body):
    """A person's answer."""

    answer: Json
    note: str | None = None


@router.post("/answer/plan")
async def plan_answer(
    who: May.decide, task: TaskId, here: Here, given: Answered
) -> CopyPlan | None:
    """The retry that this answer to a failed task would make; null if the task waits."""
    return await here.door.plan_answer(task, given.answer, by=who.name, note=given.note)


@router.post("/answer", status_code=202)
async def answer_task(
    who: May.decide, task: TaskId, here: Here, given: Answered, response: Response
) -> JobView:
    """Answer a task that waits, or has failed, in the genie's place: the job that goes on."""
    job = await here.door.answer_task(task, given.answer, by=who.name, note=given.note)
    return await accepted(here, job.job_id, response)
