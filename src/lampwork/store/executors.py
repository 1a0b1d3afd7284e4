"""Processes that execute, or executed, the jobs of this database."""

from __future__ import annotations

import os

import sqlalchemy as sa

from lampwork import clock
from lampwork.store import limits
from lampwork.store.schema import executors, jobs, waits
from lampwork.store.share import Share
from lampwork.types import Json


def start(connection: sa.Connection, executor_id: str, project: str, *, limited: bool) -> None:
    """A process begins to execute a project's jobs, or those of some trees alone."""
    connection.execute(
        sa.insert(executors).values(
            id=executor_id,
            pid=os.getpid(),
            project=project,
            started_at=clock.now(),
            limited=limited,
        )
    )


def count(connection: sa.Connection, executor_id: str, counters: Json) -> None:
    """Write down what a process has counted."""
    connection.execute(
        sa.update(executors)
        .where(executors.c.id == executor_id)
        .values(counters=counters, counted_at=clock.now())
    )


def close(connection: sa.Connection, executor_id: str) -> None:
    """A process has ended all its runs by itself: no job of it is suspect, and none is running.

    Those that had come to a wait, or were on their way there again, wait.
    """
    _show_waiting(connection, executor_id)
    limits.release_executor(connection, executor_id)
    connection.execute(
        sa.update(executors).where(executors.c.id == executor_id).values(closed_at=clock.now())
    )


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


def count_crashes(connection: sa.Connection, own_id: str, share: Share) -> list[tuple[str, int]]:
    """Count, once, the crashes of earlier processes against the jobs whose code was executing.

    Returns the jobs of the process's share that have crashed without reaching a wait since, and
    how often.
    """
    crashed = sa.select(executors.c.id).where(
        executors.c.id != own_id, executors.c.closed_at.is_(None)
    )
    executing = sa.and_(jobs.c.status == "running", jobs.c.want == "run")
    connection.execute(
        sa.update(jobs)
        .where(executing, jobs.c.executor.in_(crashed))
        .values(crashes=jobs.c.crashes + 1)
    )
    for gone in connection.execute(crashed).scalars().all():
        limits.release_executor(connection, gone)
    connection.execute(
        sa.update(executors)
        .where(executors.c.id != own_id, executors.c.closed_at.is_(None))
        .values(closed_at=clock.now())
    )
    suspects = sa.select(jobs.c.id, jobs.c.crashes).where(
        executing, jobs.c.crashes > 0, share.condition()
    )
    return [(row.id, row.crashes) for row in connection.execute(suspects)]
