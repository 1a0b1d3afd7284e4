"""How the whole is doing: jobs, tasks, what needs people, what was spent, what processes count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, get_args

from lampwork import clock
from lampwork.counters import Times
from lampwork.insights.executors import Liveness, liveness
from lampwork.insights.jobs import page_of_jobs
from lampwork.insights.views import JobView, moment, moment_or_none
from lampwork.store.lists import operations
from lampwork.store.lists.job_filter import JobFilter
from lampwork.types import JobStatus, Json

if TYPE_CHECKING:
    import sqlalchemy as sa

    from lampwork.store.lists.queries import Row

__all__ = [
    "Operations",
    "Process",
    "Spend",
    "SpendOfDay",
    "Timing",
    "operations_of",
    "usage_by_day",
]

_OPEN = ("working", "waiting")
_NEEDING_PEOPLE = 10
_PROCESSES = 50
_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What the model calls of a genie with one model have used."""

    project: str
    genie: str
    model: str | None
    """None: of calls that brought no reply."""
    usage: dict[str, int]
    """As in a task's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendOfDay(Spend):
    """What they have used on one day."""

    day: date
    """In UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How often something was done, and how long it took, in seconds."""

    count: int
    mean: float | None
    p50: float | None
    """To the next of the fixed bounds, see `lampwork.counters.BOUNDS`."""
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What a process that executes has counted since it began."""

    executor: str
    pid: int
    project: str
    state: Liveness
    started_at: datetime
    closed_at: datetime | None
    counted_at: datetime
    """When it wrote this down; some seconds ago, or when it last had something to write."""
    jobs_ended: dict[str, int]
    """By status."""
    appends: int
    """Writes to conversations."""
    changes: int
    """Writes in all; those of many jobs share a commit."""
    changes_refused: int
    commits: Timing
    model_calls: Timing
    model_tries_again: int
    model_failures: int
    skill_calls: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """How the whole is doing."""

    at: datetime
    jobs: dict[str, int]
    """By status, each of them."""
    oldest_queued_at: datetime | None
    """When the job was accepted that has been queued for the longest."""
    tasks: dict[str, int]
    """Those that have not ended: `working`, `waiting`."""
    attention: tuple[JobView, ...]
    """The newest of the jobs that need a person."""
    since: datetime
    """From when on is counted what was spent."""
    spend: tuple[Spend, ...]
    processes: tuple[Process, ...]
    """That execute, or have executed in that time."""


def usage_by_day(
    connection: sa.Connection, days: int, project: str | None
) -> tuple[SpendOfDay, ...]:
    """What was spent on each of these last days, today included, in UTC; the oldest first."""
    first = clock.now() // _DAY - days + 1
    rows = operations.spent(connection, first * _DAY, project, by_day=True)
    return tuple(SpendOfDay(day=moment(row.day * _DAY).date(), **_spend(row)) for row in rows)


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


def _spend(row: Row) -> dict[str, Any]:
    """The fields of a Spend."""
    usage = {name: int(count) for name in operations.SPENT if (count := getattr(row, name))}
    return {"project": row.project, "genie": row.genie, "model": row.model, "usage": usage}


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
