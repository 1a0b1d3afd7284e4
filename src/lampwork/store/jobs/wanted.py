"""What is meant to happen to jobs, which their rows say, and in whose charge they are.

Whoever changes it holds the job's lock, and makes the engine follow.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import Conflict, has_ended
from lampwork.store.jobs import inbox, kept, limits, queues
from lampwork.store.jobs.jobs import get
from lampwork.store.processes import news
from lampwork.store.processes.executors import ALONE_AFTER
from lampwork.store.processes.share import Share
from lampwork.store.schema import jobs
from lampwork.store.tasks import tasks
from lampwork.types import ENDED, JobStatus, Want


def is_meant_to(connection: sa.Connection, job_id: str, want: Want, share: Share) -> bool:
    """Whether a job of this share is meant to do this. Raises JobNotFound."""
    row = get(connection, job_id)
    return row.want == want and row.status not in ENDED and share.has(connection, row)


def begun_ids(connection: sa.Connection, share: Share) -> list[str]:
    """Jobs of a share that are meant to run and have begun, but for suspects that are not its own.

    Those wait for somebody to run them alone.
    """
    suspect = sa.and_(jobs.c.status == "running", jobs.c.crashes >= ALONE_AFTER)
    query = sa.select(jobs.c.id).where(
        jobs.c.want == "run",
        jobs.c.status.in_(("running", "suspended", "needs_attention")),
        sa.or_(jobs.c.executor == share.executor, sa.not_(suspect)),
        share.condition(),
    )
    return list(connection.execute(query).scalars())


def take_charge(connection: sa.Connection, job_ids: Sequence[str], share: Share) -> list[str]:
    """Take charge of jobs that are in nobody's who is alive; those that are the process's now."""
    taken = connection.execute(
        sa.update(jobs)
        .where(jobs.c.id.in_(job_ids), share.in_charge())
        .values(executor=share.executor)
        .returning(jobs.c.id)
    )
    return list(taken.scalars())


def give_charge(connection: sa.Connection, job_ids: Sequence[str], to: str, share: Share) -> None:
    """Give jobs that are in a process's charge, or in nobody's, to another one that is alive."""
    connection.execute(
        sa.update(jobs).where(jobs.c.id.in_(job_ids), share.in_charge()).values(executor=to)
    )


def leave(connection: sa.Connection, job_ids: Sequence[str], executor: str) -> None:
    """Let anybody have those of the jobs that are in an executor's charge and have not begun."""
    left = connection.execute(
        sa.update(jobs)
        .where(
            jobs.c.id.in_(job_ids),
            jobs.c.executor == executor,
            jobs.c.want == "run",
            jobs.c.status == "queued",
        )
        .values(executor=None)
    )
    if left.rowcount:
        news.tell(connection, "jobs")


def park(
    connection: sa.Connection,
    job_id: str,
    wait_ids: Sequence[str],
    status: JobStatus,
    *,
    is_limited: bool = False,
) -> bool:
    """Let go of a waiting job, unless one of its waits has been answered meanwhile.

    With it goes its place, if it `is_limited` how many jobs of its recipe run.
    """
    if inbox.any_answered(connection, wait_ids):
        return False
    inbox.stand_at(connection, job_id, wait_ids)
    parked = connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id, jobs.c.want == "run", jobs.c.status.not_in(ENDED))
        .values(want="parked", status=status, crashes=0, changed_at=clock.now())
    )
    if parked.rowcount and is_limited:
        queues.step_out(connection, job_id)
    return parked.rowcount == 1


def unpark(connection: sa.Connection, job_id: str, share: Share) -> bool:
    """Want a parked job to run, and take charge of it; False if it is not parked, or another's."""
    unparked = connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id, jobs.c.want == "parked", share.in_charge())
        .values(want="run", executor=share.executor, changed_at=clock.now())
    )
    return unparked.rowcount == 1


def need_attention(connection: sa.Connection, job_id: str, reason: str) -> list[inbox.Delivery]:
    """Stop a job until a person has looked; one that is being cancelled is stopped as it is."""
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id, jobs.c.want != "cancelled", jobs.c.status.not_in(ENDED))
        .values(
            want="attention",
            status="needs_attention",
            attention=reason,
            changed_at=clock.now(),
        )
    )
    freed, _ = limits.release_job(connection, job_id, ended=False)
    return tasks.release_job(connection, job_id) + freed


def go_on(connection: sa.Connection, job_id: str) -> None:
    """Let a job that was stopped for attention run again, or one that is kept go on with new code.

    Raises JobNotFound, Conflict.
    """
    row = get(connection, job_id)
    is_kept = row.status not in ENDED and kept.code_of(connection, row) is not None
    if row.want != "attention" and not is_kept:
        stands = (
            has_ended(row.status) if row.status in ENDED else f"is {row.status} and was not stopped"
        )
        raise Conflict(f"Job {job_id} {stands}; there is nothing to go on with.")
    kept.release(connection, row.root_id)
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id, jobs.c.want == "attention")
        .values(want="run", status="suspended", attention=None, crashes=0, changed_at=clock.now())
    )
    news.tell(connection, "gone", job_id)
