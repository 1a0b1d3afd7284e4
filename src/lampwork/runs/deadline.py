"""Until when a task must have its answer, and what that means for whatever it is doing."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lampwork import clock
from lampwork.errors import InputInvalid, LampworkError, TaskDeadlineExceeded
from lampwork.store.spending.budgets import LimitMet, exceeded
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.store.store import Store
    from lampwork.store.tasks.lineage import Lineage
    from lampwork.tasks.assignment import Assignment

__all__ = [
    "Deadline",
    "OutOfTime",
    "check_deadline",
    "check_not_passed",
    "earliest",
    "late",
    "read_deadline",
    "write_deadline",
]


def check_deadline(given: Any) -> datetime | timedelta | None:
    """A deadline as it is given: a moment, or a time from then on, as timedelta or in seconds.

    A moment without a time zone is in UTC. Raises InputInvalid.
    """
    match given:
        case None:
            return None
        case datetime() if 1 < given.year < 9999:  # so that it is a time in each zone
            return given if given.tzinfo else given.replace(tzinfo=UTC)
        case timedelta() if abs(given) <= _LONGEST:
            return given
        case int() | float() if type(given) is not bool and abs(given) <= _LONGEST.total_seconds():
            return timedelta(seconds=given)
        case _:
            raise InputInvalid(
                f"deadline={given!r} is no time. Give a datetime, or seconds from now on.",
                problems=["deadline"],
            )


_LONGEST = timedelta(days=36_500)


def _epoch(deadline: datetime | timedelta, begun_at: float) -> float:
    """A deadline in epoch seconds, where it counts from `begun_at` on."""
    if isinstance(deadline, timedelta):
        return begun_at + deadline.total_seconds()
    return deadline.timestamp()


def write_deadline(deadline: datetime | timedelta | None) -> Json:
    """A deadline in the input of a job; a length of time stays one, for its copies too."""
    match deadline:
        case None:
            return None
        case datetime():
            return deadline.timestamp()
        case timedelta():
            return {"seconds": deadline.total_seconds()}


def read_deadline(record: Json, accepted_at: float) -> datetime:
    """What `write_deadline` wrote; a length of time counts from `accepted_at` on."""
    match record:
        case {"seconds": seconds}:
            return datetime.fromtimestamp(accepted_at + seconds, UTC)
        case moment:
            return datetime.fromtimestamp(moment, UTC)


def earliest(assignment: Assignment, above: Lineage, task: str, *, begun_at: float) -> Deadline:
    """When the time of a task is up: its own, that of its budget, or of those above."""
    found = [Deadline(above.deadline, above.deadline_budget)]
    if assignment.deadline is not None:
        found.append(Deadline(_epoch(assignment.deadline, begun_at)))
    if assignment.budget is not None and assignment.budget.seconds is not None:
        found.append(Deadline(begun_at + float(assignment.budget.seconds), task))
    return min(found, key=lambda each: math.inf if each.at is None else each.at)


async def late(store: Store, deadline: Deadline) -> LampworkError:
    """The error of a task whose time is up."""
    if deadline.budget is not None:
        met = LimitMet(deadline.budget, "seconds", "time is up")
        error: LampworkError = await store.read(exceeded, met)
    else:
        error = _passed(deadline.at or 0.0)
    error.fields |= _nothing_done()
    return error


def check_not_passed(deadline: datetime | timedelta | None) -> None:
    """Refuse a deadline that is in the past already. Raises TaskDeadlineExceeded."""
    now = clock.now()
    if deadline is not None and (at := _epoch(deadline, now)) <= now:
        error = _passed(at)
        error.fields |= _nothing_done()
        raise error


def _passed(at: float) -> TaskDeadlineExceeded:
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    return TaskDeadlineExceeded(
        f"The deadline of the task, {moment}, has passed. Give it more time, or less to do.",
        deadline=moment,
    )


def _nothing_done() -> dict[str, Any]:
    return {"partial": "", "actions": [], "usage": {}}


class OutOfTime(Exception):
    """The time of the task in hand is up. It never leaves the task."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the time of a task in hand is up, by the machine's clock."""

    at: float | None
    """In epoch seconds; None is never."""
    budget: str | None = None
    """The budget whose `seconds` end then, if it is no deadline that was given as such."""

    @property
    def passed(self) -> bool:
        """Whether time is up."""
        return self.at is not None and clock.now() >= self.at

    def check(self) -> None:
        """Raise OutOfTime if time is up. Asked before anything is started."""
        if self.passed:
            raise OutOfTime

    def bounding(self) -> AbstractAsyncContextManager[None]:
        """What is done inside is cancelled when time is up, and OutOfTime raised."""
        return _UNBOUNDED if self.at is None else _bounded(self.at)


_UNBOUNDED = nullcontext()


@asynccontextmanager
async def _bounded(at: float) -> AsyncGenerator[None]:
    limit: asyncio.Timeout | None = None
    try:
        async with clock.bounded(at) as limit:
            yield
    except TimeoutError:
        if limit is not None and limit.expired():
            raise OutOfTime from None
        raise
