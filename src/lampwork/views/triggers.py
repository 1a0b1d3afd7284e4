"""Triggers, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lampwork.types import Json


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
    name: str
    """What people type for it."""
    kind: str
    definition: dict[str, Json]
    """`expression`, `timezone` and `catch_up` of a cron; `function` and `every` of a poll;
    `path` of a webhook; `method`, `path` and `wait` of an endpoint."""
    next_at: datetime | None
    """When it comes next if a worker executes; in the past if it is overdue. None for a poll that
    comes as soon as one does."""
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
    """How much that it found, or that came, could not start a job."""
    project: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedItem:
    """An item that can't start a job."""

    key: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringView:
    """What came to a webhook or an endpoint, and what became of it."""

    number: int
    status: Literal["accepted", "rejected"]
    job: str | None
    """That it started."""
    why: str | None
    """It was rejected."""
    delivery: str | None
    """The id of a delivery, the idempotency key of a call."""
    address: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerDetails(TriggerView):
    """All of a trigger."""

    polled_at: datetime | None
    cursor: Json
    """What the function of a poll gave last; of a cron, until when its times are settled."""
    started: OrderView | None
    """Who let it fire again after the last pause."""
    rejections: tuple[RejectedItem, ...]
    """The newest of them."""
    firings: tuple[FiringView, ...]
    """The newest that came to a webhook or an endpoint."""
