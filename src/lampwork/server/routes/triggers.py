"""Triggers: when they come next, who paused them; and letting one fire now."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from lampwork.server.authority import May
from lampwork.server.lists import whole
from lampwork.server.requests import Body, ExactRoute
from lampwork.server.serving import Here, ProjectName
from lampwork.views import Page, TriggerDetails, TriggerView

router = APIRouter(
    route_class=ExactRoute, tags=["triggers"], prefix="/api/projects/{project}/triggers"
)


@router.get("")
async def list_triggers(who: May.see, project: ProjectName, here: Here) -> Page[TriggerView]:
    """What starts jobs by itself, with the time when each comes next."""
    return whole(await here.insights.triggers(project))


@router.get("/{recipe}")
async def get_triggers(
    who: May.see, project: ProjectName, here: Here, recipe: str
) -> Page[TriggerDetails]:
    """The triggers of a recipe, in full."""
    return whole(await here.insights.triggers_of(project, project.find_recipe(recipe)))


class Which(Body):
    """Which trigger, and why."""

    trigger: str | None = Field(None, description="Its name, if the recipe has several.")
    why: str = ""


@router.post("/{recipe}/pause")
async def pause_trigger(
    who: May.administer, project: ProjectName, here: Here, recipe: str, which: Which
) -> Page[TriggerDetails]:
    """Let a trigger fire no more, until it is started again."""
    await here.door.pause_trigger(recipe, trigger=which.trigger, by=who.name, why=which.why)
    return await get_triggers(who, project, here, recipe)


@router.post("/{recipe}/start")
async def start_trigger(
    who: May.administer, project: ProjectName, here: Here, recipe: str, which: Which
) -> Page[TriggerDetails]:
    """Let it fire again; a cron catches up on the pause as it says."""
    await here.door.start_trigger(recipe, trigger=which.trigger, by=who.name, why=which.why)
    return await get_triggers(who, project, here, recipe)


class WhichNow(Body):
    """Which trigger."""

    trigger: str | None = Field(None, description="Its name, if the recipe has several.")


@router.post("/{recipe}/fire", status_code=202)
async def fire_trigger(
    who: May.build, project: ProjectName, here: Here, recipe: str, which: WhichNow
) -> Page[TriggerDetails]:
    """Let it fire as soon as a worker executes, paused or not."""
    await here.door.ask_to_fire(recipe, trigger=which.trigger, by=who.name)
    return await get_triggers(who, project, here, recipe)
