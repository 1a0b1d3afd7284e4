"""Triggers as they are read: when they come next, who paused them, what they could not start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lampwork import clock
from lampwork.store.triggers import firings, triggers
from lampwork.types import Json
from lampwork.views import (
    Failure,
    FiringView,
    OrderView,
    RejectedItem,
    TriggerDetails,
    TriggerView,
    moment,
    moment_or_none,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

    from lampwork.project import Project
    from lampwork.recipe import Recipe
    from lampwork.triggers.trigger import Definition

_NEWEST = 50
"""Rejected items in full."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is on record of a trigger."""

    row: Any
    rejected: int
    rejections: Sequence[Any] = ()
    firings: Sequence[Any] = ()


NOTHING: Mapping[tuple[str, str], Kept] = {}
"""What is on record where nothing was ever written."""


def kept_of(
    connection: sa.Connection, project: str, recipe: str | None = None
) -> Mapping[tuple[str, str], Kept]:
    """By recipe and trigger; of one recipe with its rejected items."""
    counts = triggers.counts_of_rejections(connection) | firings.counts_of_rejections(connection)

    def kept(row: Any) -> Kept:
        if recipe is None:
            return Kept(row, counts.get(row.id, 0))
        rejected = triggers.rejections(connection, row.id, _NEWEST)
        came = firings.of_trigger(connection, row.id, _NEWEST)
        return Kept(row, counts.get(row.id, 0), rejected, came)

    rows = triggers.of_project(connection, project)
    return {(row.recipe, row.identity): kept(row) for row in rows if recipe in (None, row.recipe)}


def trigger_views(
    project: Project, kept: Mapping[tuple[str, str], Kept]
) -> tuple[TriggerView, ...]:
    """The triggers of a project, recipe by recipe."""
    return tuple(
        TriggerView(**_shown(project, recipe, trigger, kept.get((recipe.name, trigger.identity))))
        for recipe in project.recipes.values()
        for trigger in recipe.triggers
    )


def trigger_details(
    project: Project, recipe: Recipe[..., Any], kept: Mapping[tuple[str, str], Kept]
) -> tuple[TriggerDetails, ...]:
    """The triggers of a recipe in full."""
    return tuple(
        _details(project, recipe, trigger, kept.get((recipe.name, trigger.identity)))
        for trigger in recipe.triggers
    )


def _details(
    project: Project, recipe: Recipe[..., Any], trigger: Definition, kept: Kept | None
) -> TriggerDetails:
    row = None if kept is None else kept.row
    cursor = None if row is None else row.cursor
    return TriggerDetails(
        **_shown(project, recipe, trigger, kept),
        polled_at=moment_or_none(row and row.polled_at),
        cursor=moment(cursor) if trigger.kind == "cron" and cursor is not None else cursor,
        started=_order(row and row.started),
        rejections=tuple(
            RejectedItem(key=each.key, why=each.rejected, at=moment(each.at))
            for each in (kept.rejections if kept else ())
        ),
        firings=tuple(map(_firing, kept.firings if kept else ())),
    )


def _firing(row: Any) -> FiringView:
    return FiringView(
        number=row.id,
        status="rejected" if row.job_id is None else "accepted",
        job=row.job_id,
        why=row.rejected,
        delivery=row.delivery,
        address=row.address,
        at=moment(row.at),
    )


def _shown(
    project: Project, recipe: Recipe[..., Any], trigger: Definition, kept: Kept | None
) -> dict[str, Any]:
    row = None if kept is None else kept.row
    error = row and row.error
    return {
        "recipe": recipe.name,
        "trigger": trigger.identity,
        "name": trigger.short_name,
        "kind": trigger.kind,
        "definition": trigger.described,
        "next_at": moment_or_none(_next_at(trigger, row)),
        "fired_at": moment_or_none(row and row.fired_at),
        "job": row and row.job_id,
        "paused": _order(row and row.paused),
        "asked": _order(row and row.asked),
        "error": error and Failure(message=error["message"], at=moment(error["at"])),
        "rejected": kept.rejected if kept else 0,
        "project": project.name,
    }


def _next_at(trigger: Definition, row: Any) -> float | None:
    # 50 ms to import, which whoever has a trigger has spent already.
    from lampwork.triggers.trigger import Poll, Timed

    if not isinstance(trigger, Timed) or (row is not None and row.paused):
        return None
    if isinstance(trigger, Poll):
        return row and row.polled_at and row.polled_at + trigger.interval
    settled = row.cursor if row is not None and row.defined else clock.now()
    return trigger.after(settled if trigger.catch_up != "skip" else max(settled, clock.now()))


def _order(given: Json) -> OrderView | None:
    return given and OrderView(by=given["by"], at=moment(given["at"]), why=given["why"])
