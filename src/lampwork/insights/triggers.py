"""Triggers as they are read: when they come next, who paused them, what they could not start."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lampwork.insights.views import moment, moment_or_none
from lampwork.store import triggers
from lampwork.types import Json

if TYPE_CHECKING:
    import sqlalchemy as sa

_NEWEST = 50
"""Rejected items in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """What somebody wanted of a trigger."""

    by: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a poll failed."""

    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerView:
    """A trigger, as in a list."""

    recipe: str
    trigger: str
    """Its identity in its recipe, such as `cron */15 * * * * UTC`."""
    kind: str
    definition: dict[str, Json]
    """`expression`, `timezone` and `catch_up` of a cron; `function` and `every` of a poll."""
    next_at: datetime | None
    """When it comes next if a worker executes; in the past if it is overdue."""
    fired_at: datetime | None
    """When it last started a job."""
    job: str | None
    """The job that it started last."""
    paused: OrderView | None
    asked: OrderView | None
    """To fire now, if no worker has done so yet."""
    error: Failure | None
    """Why its last poll failed, if it did."""
    rejected: int
    """How many items it found that can't start a job."""
    project: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedItem:
    """An item that can't start a job."""

    key: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerDetails(TriggerView):
    """All of a trigger."""

    created_at: datetime
    polled_at: datetime | None
    cursor: Json
    """What the function of a poll gave last; of a cron, until when its times are settled."""
    started: OrderView | None
    """Who let it fire again after the last pause."""
    rejections: tuple[RejectedItem, ...]
    """The newest of them."""


def triggers_seen(connection: sa.Connection) -> tuple[TriggerView, ...]:
    """The triggers that code defines, in the order in which they were first seen."""
    counts = triggers.counts_of_rejections(connection)
    rows = triggers.defined(connection)
    return tuple(TriggerView(**_shown(row, counts)) for row in rows)


def triggers_of(
    connection: sa.Connection, recipe: str, project: str | None
) -> tuple[TriggerDetails, ...]:
    """The triggers of a recipe in full. Raises TriggerNotFound."""
    rows = triggers.defined(connection, recipe=recipe, project=project)
    if not rows:
        triggers.find(connection, recipe, None, project)
    counts = triggers.counts_of_rejections(connection)
    return tuple(_details(connection, row, counts) for row in rows)


def _details(connection: sa.Connection, row: Any, counts: dict[int, int]) -> TriggerDetails:
    return TriggerDetails(
        **_shown(row, counts),
        created_at=moment(row.created_at),
        polled_at=moment_or_none(row.polled_at),
        cursor=moment(row.cursor) if row.kind == "cron" else row.cursor,
        started=_order(row.started),
        rejections=tuple(
            RejectedItem(key=each.key, why=each.rejected, at=moment(each.at))
            for each in triggers.rejections(connection, row.id, _NEWEST)
        ),
    )


def _shown(row: Any, counts: dict[int, int]) -> dict[str, Any]:
    error = row.error
    return {
        "recipe": row.recipe,
        "trigger": row.identity,
        "kind": row.kind,
        "definition": row.definition,
        "next_at": moment_or_none(None if row.paused else _next_at(row)),
        "fired_at": moment_or_none(row.fired_at),
        "job": row.job_id,
        "paused": _order(row.paused),
        "asked": _order(row.asked),
        "error": error and Failure(message=error["message"], at=moment(error["at"])),
        "rejected": counts.get(row.id, 0),
        "project": row.project,
    }


def _next_at(row: Any) -> float:
    from lampwork.trigger import Cron  # 50 ms; where there are no crons it does without

    if row.kind == "poll":
        return row.created_at if row.polled_at is None else row.polled_at + row.definition["every"]
    cron = Cron(**row.definition)
    lapses = cron.catch_up == "skip"
    return cron.after(max(row.cursor, time.time()) if lapses else row.cursor)


def _order(given: Json) -> OrderView | None:
    return given and OrderView(by=given["by"], at=moment(given["at"]), why=given["why"])
