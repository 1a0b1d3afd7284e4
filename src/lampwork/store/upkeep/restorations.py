"""That a database was restored from a backup: what happened after the backup is not known in it.

The jobs that had not ended then are marked, and so are those below them. A job that a trigger or an
idempotency key starts anew may have been started before as well: it is marked until a person says
that all is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from lampwork import clock
from lampwork.store.processes.share import not_closed
from lampwork.store.schema import executors, jobs, restorations
from lampwork.types import ENDED

if TYPE_CHECKING:
    from lampwork.store.jobs.new_jobs import NewJob


@dataclass(frozen=True, slots=True)
class Restoration:
    """One of them."""

    id: int
    backup_at: float
    """Effects after this moment are not known here."""
    restored_at: float
    by: str
    closed_at: float | None


_columns = (
    restorations.c.id,
    restorations.c.backup_at,
    restorations.c.restored_at,
    restorations.c.by,
    restorations.c.closed_at,
)
_get = sa.select(*_columns).where(restorations.c.id == sa.bindparam("id"))
_open = (
    sa.select(*_columns)
    .where(restorations.c.closed_at.is_(None))
    .order_by(restorations.c.id.desc())
    .limit(1)
)


def get(connection: sa.Connection, restoration_id: int) -> Restoration:
    """One restoration."""
    return Restoration(*connection.execute(_get, {"id": restoration_id}).one())


def of_job(connection: sa.Connection, row: sa.Row[Any]) -> Restoration | None:
    """The one that a job is marked with."""
    return None if row.restoration is None else get(connection, row.restoration)


def open_one(connection: sa.Connection) -> Restoration | None:
    """The last one, if nobody has said that all is known again."""
    found = connection.execute(_open).first()
    return None if found is None else Restoration(*found)


def begin(connection: sa.Connection, *, backup_at: float, by: str) -> tuple[Restoration, int]:
    """Mark the jobs that have not ended; how many they are.

    The processes that executed when the backup was made are over, and none of them has crashed.
    """
    now = clock.now()
    restored = sa.insert(restorations).values(backup_at=backup_at, restored_at=now, by=by)
    made = connection.execute(restored.returning(restorations.c.id)).scalar_one()
    unfinished = jobs.c.status.not_in(ENDED)
    connection.execute(sa.update(jobs).where(unfinished).values(restoration=made))
    connection.execute(sa.update(executors).where(not_closed).values(closed_at=now))
    marked = connection.execute(
        sa.select(sa.func.count()).where(jobs.c.restoration == made, jobs.c.parent_id.is_(None))
    )
    return get(connection, made), marked.scalar_one()


def close(connection: sa.Connection) -> int:
    """A person says that all is known: no job is marked any more; how many have been."""
    now = clock.now()
    connection.execute(
        sa.update(restorations).where(restorations.c.closed_at.is_(None)).values(closed_at=now)
    )
    marked = sa.and_(jobs.c.restoration.is_not(None), jobs.c.status.not_in(ENDED))
    return connection.execute(sa.update(jobs).where(marked).values(restoration=None)).rowcount


def marked(connection: sa.Connection, new: Sequence[NewJob]) -> Sequence[NewJob]:
    """New jobs, marked if what starts them may have started them before the restore as well."""
    if not any(map(_comes_again, new)) or (found := open_one(connection)) is None:
        return new
    return [
        replace(job, restoration=found.id)
        if _comes_again(job) and _time_of(job) <= found.restored_at
        else job
        for job in new
    ]


def _comes_again(job: NewJob) -> bool:
    return job.keyed_as is not None and job.parent_id is None


def _time_of(job: NewJob) -> float:
    """Of a cron's job the time that it is for; of items and requests nobody knows since when."""
    scheduled_at = job.trigger.get("scheduled_at")
    return 0.0 if scheduled_at is None else datetime.fromisoformat(scheduled_at).timestamp()
