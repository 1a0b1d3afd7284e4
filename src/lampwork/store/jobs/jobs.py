"""Rows of jobs, and what their runs find and write. Every function runs inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.errors import Conflict, JobErased, JobNotFound
from lampwork.store import blobs
from lampwork.store.jobs import calls
from lampwork.store.processes.share import not_closed
from lampwork.store.schema import ends, executors, jobs, logs
from lampwork.store.tasks.lineage import Lineage, lineage_of
from lampwork.store.upkeep import restorations
from lampwork.store.upkeep.restorations import Restoration
from lampwork.types import ENDED, JobStatus

# Built once: to build a statement costs 50 µs, to run a built one 11 µs.
_get_job = sa.select(jobs).where(jobs.c.id == sa.bindparam("job"))
_to_begin = sa.select(
    jobs,
    sa.exists().where(executors.c.id == sa.bindparam("by"), not_closed).label("is_alive"),
).where(jobs.c.id == sa.bindparam("job"))
"""A job, and whether the executor that would run it is taken for alive."""

_begin_job = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("job"))
    .values(
        want="run",
        status="running",
        executor=sa.bindparam("by"),
        run=jobs.c.run + 1,
        started_at=sa.func.coalesce(jobs.c.started_at, sa.bindparam("now")),
        changed_at=sa.bindparam("now"),
    )
)
_mark_job = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("job"), jobs.c.want == "run", jobs.c.status.not_in(ENDED))
    .values(
        status=sa.bindparam("shown"),
        crashes=sa.case((sa.bindparam("shown") == "running", jobs.c.crashes), else_=0),
        changed_at=sa.bindparam("now"),
    )
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A job's row as its run found it, with the calls that were begun before."""

    row: sa.Row[Any]
    calls: dict[int, sa.Row[Any]]
    logged: int
    ends: int
    lineage: Lineage
    restoration: Restoration | None = None


@dataclass(frozen=True, slots=True)
class EndedJob:
    """How a job ended: its status and its outcome's envelope, folded (see blobs.py)."""

    id: str
    status: JobStatus
    outcome: str


def get(connection: sa.Connection, job_id: str) -> sa.Row[Any]:
    """A job's row.

    Raises JobNotFound.
    """
    row = connection.execute(_get_job, {"job": job_id}).first()
    if row is None:
        raise not_found(job_id)
    return row


def not_found(job_id: str) -> JobNotFound:
    """What to say of a job that is not there."""
    return JobNotFound(f"There is no job {job_id}.")


def require_not_erased(row: sa.Row[Any]) -> None:
    """Raise JobErased for a job of which only a tombstone is left."""
    if row.erased_at is not None:
        raise JobErased(
            f"Job {row.id} {row.status}, and was erased: what it was given and returned is gone. "
            f"When it was is still there: lampwork job {row.id}"
        )


def if_ended(connection: sa.Connection, job_id: str) -> EndedJob | None:
    """How a job ended, None while it has not. Raises JobNotFound, JobErased."""
    row = get(connection, job_id)
    require_not_erased(row)
    return EndedJob(row.id, row.status, row.outcome) if row.status in ENDED else None


def outcomes(
    connection: sa.Connection, parent_id: str, call: int
) -> list[tuple[str, str, str | None]]:
    """Id, status and envelope of the jobs that a map started, in the order of its items."""
    found = connection.execute(
        sa.select(jobs.c.id, jobs.c.status, jobs.c.outcome)
        .where(
            jobs.c.parent_id == parent_id,
            jobs.c.parent_call == call,
            jobs.c.position.is_not(None),
        )
        .order_by(jobs.c.position)
    )
    return [
        (row.id, row.status, row.outcome and blobs.unfold(connection, row.outcome))
        for row in found.all()
    ]


def ended_among(connection: sa.Connection, job_ids: Sequence[str]) -> list[EndedJob]:
    """How those of the jobs ended that have."""
    query = sa.select(jobs.c.id, jobs.c.status, jobs.c.outcome).where(
        jobs.c.id.in_(job_ids), jobs.c.status.in_(ENDED), jobs.c.erased_at.is_(None)
    )
    return [EndedJob(*row) for row in connection.execute(query).all()]


def ended_ids(connection: sa.Connection, job_ids: Sequence[str]) -> list[str]:
    """Those of the jobs that have ended, erased ones as well."""
    query = sa.select(jobs.c.id).where(jobs.c.id.in_(job_ids), jobs.c.status.in_(ENDED))
    return list(connection.execute(query).scalars())


def begin(connection: sa.Connection, job_id: str, executor: str, version: str) -> Begun:
    """A run starts, and leads a job that is wanted; others are left as they are."""
    row = connection.execute(_to_begin, {"job": job_id, "by": executor}).first()
    if row is None:
        raise not_found(job_id)
    if not row.is_alive:
        raise Conflict(f"{executor} was found to be gone, and may begin nothing.")
    if row.want in ("run", "parked") and row.status not in ENDED:
        connection.execute(_begin_job, {"job": job_id, "by": executor, "now": clock.now()})
    if row.started_at is None and row.copy_of is not None:
        # Who made the copy had not loaded its code.
        connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(version=version))
    return begun(connection, row)


def begun(connection: sa.Connection, row: sa.Row[Any]) -> Begun:
    """What was begun of a job."""
    lineage = lineage_of(connection, row.task_id)
    restored = restorations.of_job(connection, row)
    if row.started_at is None and row.copy_of is None:
        return Begun(row, {}, 0, 0, lineage, restored)
    return Begun(
        row,
        calls.of_job(connection, row.id),
        _highest(connection, logs, row.id),
        _highest(connection, ends, row.id),
        lineage,
        restored,
    )


def _highest(connection: sa.Connection, table: sa.Table, job_id: str) -> int:
    query = sa.select(sa.func.max(table.c.number)).where(table.c.job_id == job_id)
    return connection.execute(query).scalar() or 0


def mark(connection: sa.Connection, job_id: str, status: JobStatus) -> None:
    """Say whether user code is executing (`running`) or all only wait (`suspended`).

    Reaching a wait is progress: it forgives earlier crashes.
    """
    connection.execute(_mark_job, {"job": job_id, "shown": status, "now": clock.now()})


def log(connection: sa.Connection, job_id: str, number: int, message: str) -> None:
    """Keep a line that a recipe logged."""
    connection.execute(
        insert(logs)
        .values(job_id=job_id, number=number, at=clock.now(), message=message)
        .on_conflict_do_nothing()
    )
