"""The processes that execute, as others see them: who is alive, since when, with which jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampwork import clock, lock
from lampwork.place import Folder, Place
from lampwork.store.processes import executors
from lampwork.views import (
    Liveness,
    WorkerView,
    moment,
    moment_or_none,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

    from lampwork.store.lists.queries import Row

__all__ = ["holder_of", "liveness", "workers"]

_BEATS_MISSED = 3
"""Intervals without a heartbeat after which a process is gone."""

_BEATS_BEFORE_AN_END = 2
"""Intervals up to which a process has beaten before its end, if it has ended by itself."""

_LATELY = 3600.0
"""Seconds for which processes that are gone are listed."""

_AT_MOST = 200


def holder_of(place: Place) -> str | None:
    """The process that holds a folder's lock. Blocks."""
    return lock.holder(place.path) if isinstance(place, Folder) else None


def liveness(row: Row, holder: str | None) -> Liveness:
    """Whether a process is there: by its heartbeat, or in a folder by who holds the lock."""
    if row.closed_at is not None:
        last = row.closed_at - _BEATS_BEFORE_AN_END * row.interval
        was_silent = row.interval and row.beat_at < last
        return "gone" if was_silent or row.session is not None else "closed"
    if row.interval:
        beats = clock.now() - row.beat_at < _BEATS_MISSED * row.interval
        return "alive" if beats else "gone"
    return "alive" if str(row.pid) == holder else "gone"


def workers(
    connection: sa.Connection, holder: str | None, project: str | None
) -> tuple[WorkerView, ...]:
    """Those that execute, and those gone lately; the last to start first."""
    rows = executors.since(connection, clock.now() - _LATELY, project, _AT_MOST)
    in_charge: dict[str, dict[str, int]] = defaultdict(dict)
    for executor, status, count in executors.jobs_in_charge(connection):
        in_charge[executor][status] = count
    firing = executors.firing(connection)
    return tuple(_view(row, liveness(row, holder), in_charge[row.id], firing) for row in rows)


def _view(row: Row, state: Liveness, jobs: dict[str, int], firing: Sequence[str]) -> WorkerView:
    return WorkerView(
        worker=row.id,
        project=row.project,
        code=row.version,
        host=row.host,
        pid=row.pid,
        state=state,
        started_at=moment(row.started_at),
        seen_at=moment(row.beat_at) if row.interval else None,
        closed_at=moment_or_none(row.closed_at),
        limited=row.limited,
        fires_triggers=state == "alive" and row.id in firing,
        jobs=jobs,
    )
