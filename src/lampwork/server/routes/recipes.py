"""Recipes: what can be started, and with which input."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from lampwork.server.authority import May
from lampwork.server.lists import IdempotencyKey, accepted, whole
from lampwork.server.requests import Body, Digest, ExactRoute
from lampwork.server.serving import Here, ProjectName
from lampwork.types import Json
from lampwork.views import Graph, JobView, Page, RecipeDetails, RecipeView

router = APIRouter(
    route_class=ExactRoute, tags=["recipes"], prefix="/api/projects/{project}/recipes"
)

Days = Annotated[
    int, Query(ge=1, le=366, description="Of the jobs that were accepted in these last days.")
]


@router.get("")
async def list_recipes(
    who: May.see, project: ProjectName, here: Here, days: Days = 7
) -> Page[RecipeView]:
    """The recipes of a project, with figures of how their jobs went."""
    return whole(await here.insights.recipes(project, days=days))


@router.get("/{recipe}")
async def get_recipe(
    who: May.see, project: ProjectName, here: Here, recipe: str, days: Days = 7
) -> RecipeDetails:
    """A recipe, with the JSON Schemas of what it takes and returns, and how its jobs went."""
    return await here.insights.recipe(project, recipe, days=days)


@router.get("/{recipe}/graph")
async def get_graph(who: May.see, project: ProjectName, recipe: str) -> Graph:
    """What a recipe may do and in which order, drawn from its source."""
    return await asyncio.to_thread(project.graph, recipe)


class NewJob(Body):
    """What a job is started with."""

    input: dict[str, Json] = Field(
        default_factory=dict[str, Json], description="The recipe's parameters by name."
    )
    files: list[Digest] = Field(
        default_factory=list[Digest],
        max_length=100,
        description="Digests of the files that the input names: the job keeps them.",
    )


@router.post("/{recipe}/jobs", status_code=202)
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
    job = await here.door.start_named(
        recipe, new.input, kind="api", idempotency_key=key, files=new.files
    )
    return await accepted(here, job.job_id, response)
