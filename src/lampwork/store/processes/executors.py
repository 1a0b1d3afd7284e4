"""Processes that execute, or executed, the jobs of this database, and who of them is alive.

On a server each counts its heartbeats. Who has not counted for a while, as others have seen, is
gone: it is closed, its jobs are in nobody's charge any more, and what it still writes is refused.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork import clock
from lampwork.store.jobs import limits
from lampwork.store.jobs.calls import Leading
from lampwork.store.lists.queries import is_wanted
from lampwork.store.processes import news, session
from lampwork.store.processes.share import Share, newest_code, not_closed
from lampwork.store.schema import conversations, executors, jobs, leases, tasks, waits
from lampwork.types import ENDED, Json

ALONE_AFTER = 2
"""Crashes with a job's code executing after which it runs alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecutor:
    """A process that begins to execute."""

    id: str
    project: str
    version: str
    """Of the project's code."""
    limited: bool
    """To some trees."""
    interval: float
    """Seconds between two of its heartbeats."""


def start(connection: sa.Connection, new: NewExecutor) -> None:
    """A process begins to execute a project's jobs, or those of some trees alone."""
    now = clock.now()
    connection.execute(
        sa.insert(executors).values(
            id=new.id,
            pid=os.getpid(),
            host=socket.gethostname(),
            project=new.project,
            version=new.version,
            started_at=now,
            limited=new.limited,
            interval=new.interval,
            beats=0,
            beat_at=now,
        )
    )


def count(connection: sa.Connection, executor_id: str, counters: Json) -> None:
    """Write down what a process has counted."""
    connection.execute(
        sa.update(executors)
        .where(executors.c.id == executor_id)
        .values(counters=counters, counted_at=clock.now())
    )


def beat(connection: sa.Connection, executor_id: str, server: str | None = None) -> bool:
    """Say that a process is alive; False if others have found it gone.

    `server` is that of its session, if it has one, see session.py.
    """
    beaten = connection.execute(
        sa.update(executors)
        .where(executors.c.id == executor_id, not_closed)
        .values(beats=executors.c.beats + 1, beat_at=clock.now(), session=server)
    )
    return beaten.rowcount == 1


def others(connection: sa.Connection, own_id: str) -> dict[str, tuple[int, float]]:
    """The others that nobody has found gone: how often each has beaten, and its interval."""
    query = sa.select(executors.c.id, executors.c.beats, executors.c.interval).where(
        executors.c.id != own_id, not_closed
    )
    return {row.id: (row.beats, row.interval) for row in connection.execute(query)}


def newest_version(connection: sa.Connection, project: str) -> str | None:
    """The version of the code that was started last, of those that execute all of a project."""
    return connection.execute(newest_code(project)).scalar()


def alive(connection: sa.Connection) -> dict[str, str]:
    """The executors that nobody has found gone, each with the version of its code."""
    query = sa.select(executors.c.id, executors.c.version).where(not_closed)
    return {row.id: row.version for row in connection.execute(query)}


def since(
    connection: sa.Connection, moment: float, project: str | None, limit: int
) -> Sequence[sa.Row[Any]]:
    """Executors that have not been closed, or not before that; the last to start first."""
    return connection.execute(
        sa.select(executors)
        .where(sa.or_(not_closed, executors.c.closed_at >= moment))
        .where(is_wanted(executors.c.project, project))
        .order_by(executors.c.started_at.desc(), executors.c.id.desc())
        .limit(limit)
    ).all()


def unclosed(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """Executors that have not been closed, the last to start first."""
    return connection.execute(
        sa.select(executors)
        .where(not_closed)
        .order_by(executors.c.started_at.desc(), executors.c.id.desc())
    ).all()


def jobs_in_charge(connection: sa.Connection) -> list[tuple[str, str, int]]:
    """Each executor with how many jobs of each status it has charge of, that have not ended."""
    query = (
        sa.select(jobs.c.executor, jobs.c.status, sa.func.count().label("counted"))
        .where(jobs.c.status.not_in(ENDED), jobs.c.executor.is_not(None))
        .group_by(jobs.c.executor, jobs.c.status)
        .order_by(jobs.c.executor, jobs.c.status)
    )
    return [(row.executor, row.status, row.counted) for row in connection.execute(query)]


def firing(connection: sa.Connection) -> Sequence[str]:
    """The executors that let the triggers of a project fire."""
    leads = sa.and_(
        leases.c.executor == executors.c.id, leases.c.name == "schedule " + executors.c.project
    )
    return connection.execute(sa.select(executors.c.id).where(leads)).scalars().all()


def close(connection: sa.Connection, executor_id: str) -> None:
    """A process has ended all its runs by itself: no job of it is suspect, and none is running.

    Those that had come to a wait, or were on their way there again, wait.
    """
    _show_waiting(connection, executor_id)
    limits.release_executor(connection, executor_id)
    connection.execute(
        sa.update(executors)
        .where(executors.c.id == executor_id)
        .values(closed_at=clock.now(), session=None)
    )
    news.tell(connection, "gone")


def _show_waiting(connection: sa.Connection, executor_id: str) -> None:
    waiting = sa.exists().where(waits.c.job_id == jobs.c.id, waits.c.answered.is_(False))
    shown = sa.case(
        (waiting.where(waits.c.kind == "resolution"), "needs_attention"), else_="suspended"
    )
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.executor == executor_id, jobs.c.status == "running", jobs.c.want == "run")
        .where(waiting)
        .values(status=shown, changed_at=clock.now())
    )


def bury(connection: sa.Connection, gone: Mapping[str, int]) -> list[str]:
    """Close executors that are gone, unless they have beaten since; those that were closed.

    Their crashes are counted against the jobs whose code was executing. What they may still write
    to conversations, should they only have been frozen, is refused from here on.
    """
    silent = {each: executors.c.beats == beats for each, beats in gone.items()}
    return _bury(connection, silent)


def bury_absent(connection: sa.Connection, gone: Sequence[str]) -> list[str]:
    """As `bury`, executors whose session is gone, unless they have one again, or say that they go
    on without."""
    return _bury(connection, dict.fromkeys(gone, sa.text(session.ABSENT)))


def _bury(connection: sa.Connection, gone: Mapping[str, _Still]) -> list[str]:
    buried = [each for each, still in gone.items() if _close_gone(connection, each, still)]
    for each in buried:
        limits.release_executor(connection, each)
    if buried:
        left = jobs.c.executor.in_(buried)
        connection.execute(
            sa.update(jobs).where(_executing, left).values(crashes=jobs.c.crashes + 1)
        )
        theirs = (
            sa.select(tasks.c.id)
            .join(jobs, jobs.c.id == tasks.c.job_id)
            .where(left, tasks.c.ended_at.is_(None))
        )
        connection.execute(
            sa.update(conversations).where(conversations.c.holder.in_(theirs)).values(epoch=0)
        )
        news.tell(connection, "gone")
    return buried


_Still = sa.ColumnElement[bool] | sa.TextClause
"""A condition under which an executor is gone."""

_executing = sa.and_(jobs.c.status == "running", jobs.c.want == "run")


def _close_gone(connection: sa.Connection, executor_id: str, still: _Still) -> bool:
    closed = connection.execute(
        sa.update(executors)
        .where(executors.c.id == executor_id, not_closed, still)
        .values(closed_at=clock.now())
    )
    return closed.rowcount == 1


def suspects(connection: sa.Connection, share: Share) -> Sequence[sa.Row[Any, Any, Any]]:
    """Jobs of a share, `id`, `crashes` and `executor`, that have crashed often without a wait."""
    return connection.execute(
        sa.select(jobs.c.id, jobs.c.crashes, jobs.c.executor).where(
            _executing, jobs.c.crashes >= ALONE_AFTER, share.condition()
        )
    ).all()


def has_lead(connection: sa.Connection, by: Leading, executor_id: str) -> bool:
    """Whether an executor is alive, has a job in its charge, and this run of it leads."""
    query = (
        sa.select(jobs.c.id)
        .join(executors, executors.c.id == jobs.c.executor)
        .where(jobs.c.id == by.job_id, jobs.c.run == by.run)
        .where(executors.c.id == executor_id, not_closed)
    )
    return connection.execute(query).first() is not None
