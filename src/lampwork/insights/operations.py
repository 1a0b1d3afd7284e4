"""How the whole is doing: jobs, tasks, what needs people, what was spent, what processes count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from lampwork import clock
from lampwork.counters import Times
from lampwork.insights.executors import liveness
from lampwork.insights.jobs import page_of_jobs
from lampwork.store.lists import operations
from lampwork.store.lists.job_filter import JobFilter
from lampwork.types import JobStatus, Json
from lampwork.views import (
    Liveness,
    Operations,
    Process,
    Spend,
    SpendOfDay,
    Timing,
    moment,
    moment_or_none,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

    from lampwork.store.lists.queries import Row

__all__ = ["nothing_yet", "operations_of", "usage_by_day"]

_OPEN = ("working", "waiting")
_NEEDING_PEOPLE = 10
_PROCESSES = 50
_DAY = 86400.0


def usage_by_day(
    connection: sa.Connection, days: int, project: str | None
) -> tuple[SpendOfDay, ...]:
    """What was spent on each of these last days, today included, in UTC; the oldest first."""
    first = clock.now() // _DAY - days + 1
    rows = operations.spent(connection, first * _DAY, project, by_day=True)
    return tuple(
        SpendOfDay(day=moment((each.day or 0) * _DAY).date(), **_spend(each)) for each in rows
    )


def operations_of(
    connection: sa.Connection, seconds: float, holder: str | None, project: str | None
) -> Operations:
    """How the whole is doing, with what was spent in these last seconds.

    `holder` is who holds the lock of a folder.
    """
    now = clock.now()
    since = now - seconds
    by_status = operations.jobs_by_status(connection, project)
    open_tasks = operations.open_tasks(connection, project)
    counting = operations.processes(connection, since, project, _PROCESSES)
    attention = page_of_jobs(
        connection,
        project=project,
        wanted=JobFilter(status="needs_attention"),
        after=None,
        limit=_NEEDING_PEOPLE,
        examined=None,
    )
    return Operations(
        at=moment(now),
        jobs={status: by_status.get(status, 0) for status in get_args(JobStatus)},
        oldest_queued_at=moment_or_none(operations.queued_since(connection, project)),
        tasks={status: open_tasks.get(status, 0) for status in _OPEN},
        attention=attention.items,
        since=moment(since),
        spend=tuple(Spend(**_spend(row)) for row in operations.spent(connection, since, project)),
        processes=tuple(_process(row, liveness(row, holder)) for row in counting),
    )


def nothing_yet(seconds: float) -> Operations:
    """Where nothing was ever written."""
    now = clock.now()
    return Operations(
        at=moment(now),
        jobs=dict.fromkeys(get_args(JobStatus), 0),
        oldest_queued_at=None,
        tasks=dict.fromkeys(_OPEN, 0),
        attention=(),
        since=moment(now - seconds),
        spend=(),
        processes=(),
    )


def _spend(spent: operations.Spent) -> dict[str, Any]:
    """The fields of a Spend."""
    return {name: getattr(spent, name) for name in ("project", "genie", "model", "usage")}


def _process(row: Row, state: Liveness) -> Process:
    counters: dict[str, Json] = row.counters
    return Process(
        executor=row.id,
        pid=row.pid,
        project=row.project,
        state=state,
        started_at=moment(row.started_at),
        closed_at=moment_or_none(row.closed_at),
        counted_at=moment(row.counted_at),
        jobs_ended=counters["jobs_ended"],
        appends=counters["appends"],
        changes=counters["changes"],
        changes_refused=counters["changes_refused"],
        commits=_timing(counters["commits"]),
        model_calls=_timing(counters["model_calls"]),
        model_tries_again=counters["model_tries_again"],
        model_failures=counters["model_failures"],
        skill_calls=_timing(counters["skill_calls"]),
    )


def _timing(counted: dict[str, Json]) -> Timing:
    times = Times.of(counted)
    return Timing(
        count=times.count,
        mean=round(times.seconds / times.count, 6) if times.count else None,
        p50=times.within(0.5),
        p95=times.within(0.95),
    )
