"""Jobs end: each once, in one transaction with all that waits for it or follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.store.jobs import inbox, kept, limits
from lampwork.store.jobs.jobs import EndedJob, not_found
from lampwork.store.jobs.new_jobs import NewJob, child_effects, create
from lampwork.store.processes import news
from lampwork.store.schema import ends, jobs, places
from lampwork.store.schema import tasks as tasks_table
from lampwork.store.tasks import tasks
from lampwork.types import ENDED, JobStatus, Json, child_id, child_wait_id, wait_id

_to_end = sa.select(
    jobs,
    sa.exists()
    .where(tasks_table.c.job_id == jobs.c.id, tasks_table.c.ended_at.is_(None))
    .label("has_tasks"),
    sa.exists().where(places.c.job_id == jobs.c.id).label("has_places"),
    sa.exists().where(ends.c.job_id == jobs.c.id).label("has_ends"),
).where(jobs.c.id == sa.bindparam("job"))
"""A job, with what there is to do besides when it ends: for most nothing, in one statement."""

_finish_job = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("job"))
    .values(
        status=sa.bindparam("ended_as"),
        outcome=sa.bindparam("envelope"),
        traceback=sa.bindparam("trace"),
        attention=None,
        ended_at=sa.bindparam("now"),
        changed_at=sa.bindparam("now"),
    )
)
_ends_of = sa.select(ends).where(ends.c.job_id == sa.bindparam("job")).order_by(ends.c.number)


@dataclass(slots=True)
class Ended:
    """What the end of a job set off; no job if it had ended before or is being cancelled."""

    job: EndedJob | None = None
    answered: list[inbox.Delivery] = field(default_factory=list[inbox.Delivery])
    to_start: list[str] = field(default_factory=list[str])
    freed: bool = False
    """Whether another job of its recipe may begin."""


def finish(
    connection: sa.Connection,
    job_id: str,
    status: JobStatus,
    envelope: str,
    traceback: str | None,
) -> Ended:
    """Publish a job's end, in one transaction with all that waits for it.

    A job that has ended stays as it is, and nothing follows from it twice.
    """
    row = connection.execute(_to_end, {"job": job_id}).first()
    if row is None:
        raise not_found(job_id)
    if row.status in ENDED or (row.want == "cancelled" and status != "cancelled"):
        return Ended()
    connection.execute(
        _finish_job,
        {
            "job": job_id,
            "ended_as": status,
            "envelope": envelope,
            "trace": traceback,
            "now": clock.now(),
        },
    )
    ended = Ended(EndedJob(job_id, status, envelope))
    if row.has_tasks:
        over = "cancelled" if status == "cancelled" else "failed"
        ended.answered += tasks.release_job(connection, job_id, ended=over)
    if row.has_places:
        told, ended.freed = limits.release_job(connection, job_id, ended=True)
        ended.answered += told
    if row.parent_id is not None and not row.detached:
        _tell_parent(connection, row, ended)
        if status == "cancelled":
            news.tell(connection, "cancelled", row.parent_id)  # it may end now as well
    if row.has_ends:
        _start_ends(connection, row, ended)
    return ended


def _tell_parent(connection: sa.Connection, row: sa.Row[Any], ended: Ended) -> None:
    """Answer the parent's wait; for a map, start its next item, and answer after the last."""
    if row.position is not None:
        siblings = sa.and_(
            jobs.c.parent_id == row.parent_id,
            jobs.c.parent_call == row.parent_call,
            jobs.c.position.is_not(None),
        )
        held = connection.execute(
            sa.select(jobs.c.id)
            .where(siblings, jobs.c.want == "held", jobs.c.status == "queued")
            .order_by(jobs.c.position)
            .limit(1)
        ).scalar()
        if held is not None:
            next_one = sa.update(jobs).where(jobs.c.id == held)
            connection.execute(next_one.values(want="run", executor=row.executor))
            ended.to_start.append(held)
        if connection.execute(
            sa.select(sa.exists().where(siblings, jobs.c.status.not_in(ENDED)))
        ).scalar():
            return
    in_map = row.position is not None
    wait = wait_id(row.parent_id, row.parent_call) if in_map else child_wait_id(row.id)
    ended.answered += inbox.settle(
        connection, wait, row.parent_id, {"job": row.id}, source=f"job {row.id}"
    )


def _start_ends(connection: sa.Connection, row: sa.Row[Any], ended: Ended) -> None:
    """What `on_end` registered becomes jobs of their own, detached."""
    registered = connection.execute(_ends_of, {"job": row.id}).all()
    new = [
        NewJob(
            id=f"{child_id(row.id, 0)}.{end.number}",
            project=row.project,
            callable=end.callable,
            version=row.version,
            input=end.input,
            trigger={"kind": "end", "job": row.id},
            root_id=row.root_id,
            task_id=row.task_id,
            parent_id=row.id,
            parent_call=0,
            detached=True,
            keyed_as=child_effects(row, f"{child_id(row.id, 0)}.{end.number}"),
            restoration=row.restoration,
            executor=row.executor,
        )
        for end in registered
    ]
    create(connection, new)
    if new and kept.code_of(connection, row) is None:  # else its own code starts them in its turn
        ended.to_start += [job.id for job in new]


def register_end(
    connection: sa.Connection, job_id: str, number: int, callable: str, input: Json
) -> None:
    """Write down what is to run when the job has ended."""
    connection.execute(
        insert(ends)
        .values(job_id=job_id, number=number, callable=callable, input=input)
        .on_conflict_do_nothing()
    )
