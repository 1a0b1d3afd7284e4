"""Recipes: what can be started, with which input."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import Field

from lampwork.insights import JobView
from lampwork.server.authority import May
from lampwork.server.lists import IdempotencyKey, accepted
from lampwork.server.requests import Body, ExactRoute
from lampwork.server.serving import Here, ProjectName
from lampwork.types import Json

router = APIRouter(route_class=ExactRoute, tags=["recipes"])


class NewJob(Body):
    """What a job is started with."""

    input: dict[str, Json] = Field(
        default_factory=dict[str, Json], description="The recipe's parameters by name."
    )


@router.post("/api/projects/{project}/recipes/{recipe}/jobs", status_code=202)
async def start_job(
    who: May.build,
    project: ProjectName,
    here: Here,
    recipe: str,
    new: NewJob,
    response: Response,
    key: IdempotencyKey = None,
) -> JobView:
    """Start a job of a recipe; it is on disk when this answers."""
    job = await here.door.start_named(recipe, new.input, kind="api", idempotency_key=key)
    return await accepted(here, job.job_id, response)
