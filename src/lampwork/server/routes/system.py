"""The whole: how it is doing, who executes, what was spent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from lampwork.server import metrics
from lampwork.server.authority import May
from lampwork.server.lists import whole
from lampwork.server.requests import ExactRoute
from lampwork.server.serving import Here
from lampwork.views import (
    Operations,
    Page,
    ProjectView,
    SpendOfDay,
    WorkerView,
)

router = APIRouter(route_class=ExactRoute, tags=["system"])


@router.get("/api/projects")
async def list_projects(who: May.see, here: Here) -> Page[ProjectView]:
    """The projects that the caller may use."""
    shown = ProjectView(
        project=here.project.name,
        title=here.project.title,
        version=here.project.version,
        executes=here.executes,
        role=who.role_in(here.project.name),
    )
    return whole([shown])


@router.get("/api/status")
async def get_status(
    who: May.see, here: Here, seconds: Annotated[float, Query(gt=0, le=1e9)] = 86400.0
) -> Operations:
    """How the whole is doing, with what was spent in these last seconds."""
    return await here.insights.operations(seconds=seconds)


@router.get("/api/workers")
async def list_workers(who: May.see, here: Here) -> Page[WorkerView]:
    """The processes that execute, and those gone lately."""
    return whole(await here.insights.workers())


@router.get("/api/usage")
async def get_usage(
    who: May.see, here: Here, days: Annotated[int, Query(ge=1, le=366)] = 30
) -> Page[SpendOfDay]:
    """What was spent on each of these last days in UTC, by genie and model."""
    return whole(await here.insights.usage(days=days))


@router.get("/metrics", response_class=PlainTextResponse)
async def get_metrics(who: May.see, here: Here) -> PlainTextResponse:
    """Counters, in the text format of Prometheus."""
    return PlainTextResponse(metrics.text(here, await here.insights.operations(seconds=60)))
