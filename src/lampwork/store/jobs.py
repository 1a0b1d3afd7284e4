"""Rows of jobs: accepted, begun, parked, ended. Every function runs inside one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.errors import Conflict, JobEnded, JobErased, JobNotFound
from lampwork.store import (
    blobs,
    calls,
    cancelled,
    inbox,
    kept,
    limits,
    news,
    queues,
    restorations,
    tasks,
)
from lampwork.store.executors import ALONE_AFTER
from lampwork.store.restorations import Restoration
from lampwork.store.schema import ends, jobs, logs
from lampwork.store.share import Share, is_alive
from lampwork.store.tasks import Lineage
from lampwork.types import (
    ENDED,
    JobStatus,
    Json,
    Want,
    child_id,
    child_wait_id,
    wait_id,
)

# Built once: to build a statement costs 50 µs, to run a built one 11 µs.
_insert_job = insert(jobs).on_conflict_do_nothing()
_get_job = sa.select(jobs).where(jobs.c.id == sa.bindparam("job"))
_begin_job = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("job"))
    .values(
        want="run",
        status="running",
        executor=sa.bindparam("by"),
        started_at=sa.func.coalesce(jobs.c.started_at, sa.bindparam("now")),
        changed_at=sa.bindparam("now"),
    )
)
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
_mark_job = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("job"), jobs.c.want == "run", jobs.c.status.not_in(ENDED))
    .values(
        status=sa.bindparam("shown"),
        crashes=sa.case((sa.bindparam("shown") == "running", jobs.c.crashes), else_=0),
        changed_at=sa.bindparam("now"),
    )
)
_ends_of = sa.select(ends).where(ends.c.job_id == sa.bindparam("job")).order_by(ends.c.number)


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a job starts from."""

    id: str
    project: str
    callable: str
    version: str
    input: Json
    trigger: Json
    root_id: str
    task_id: str | None = None
    """The nearest task above."""
    parent_id: str | None = None
    parent_call: int | None = None
    position: int | None = None
    detached: bool = False
    want: Want = "run"
    executor: str | None = None
    """In whose charge it is from the start; None: whoever takes it."""
    blobs: Sequence[str] = ()
    """The digests of what its input names."""
    keyed_as: str | None = None
    """What the keys of its effects begin with, if not with its id, see `effect_base`."""
    restoration: int | None = None
    """After which its effects may have been done before."""


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


@dataclass(slots=True)
class Ended:
    """What the end of a job set off; no job if it had ended before or is being cancelled."""

    job: EndedJob | None = None
    answered: list[inbox.Delivery] = field(default_factory=list[inbox.Delivery])
    to_start: list[str] = field(default_factory=list[str])
    freed: bool = False
    """Whether another job of its recipe may begin."""


def create(connection: sa.Connection, new: Sequence[NewJob]) -> None:
    """Insert jobs; those that are there already stay as they are."""
    now = clock.now()
    new = restorations.marked(connection, new)
    rows = [
        {
            "id": job.id,
            "project": job.project,
            "callable": job.callable,
            "version": job.version,
            "input": job.input,
            "trigger": job.trigger,
            "root_id": job.root_id,
            "task_id": job.task_id,
            "parent_id": job.parent_id,
            "parent_call": job.parent_call,
            "position": job.position,
            "detached": job.detached,
            "keyed_as": job.keyed_as,
            "restoration": job.restoration,
            "want": job.want,
            "executor": job.executor,
            "status": "queued",
            "created_at": now,
            "changed_at": now,
        }
        for job in new
    ]
    if rows:
        connection.execute(_insert_job, rows)
        queues.join(connection, [(job.id, job.project, job.callable) for job in new])
    if any(job.executor is None and job.want == "run" for job in new):
        news.tell(connection, "jobs")
    for job in new:
        if job.blobs:
            blobs.own(connection, job.id, job.blobs)


def create_children(
    connection: sa.Connection,
    parent_id: str,
    new: Sequence[NewJob],
    in_order: Collection[str] = (),
) -> bool:
    """Insert a job's children, unless the job was cancelled or stopped before they came to be.

    `in_order` names the recipes whose jobs begin when the ones before have ended. Raises
    OrderCycle if one of these would wait for its own parent.
    """
    if get(connection, parent_id).want in ("cancelled", "attention"):
        return False
    waiting = [job.id for job in new if job.callable in in_order and not job.detached]
    known = sa.select(jobs.c.id).where(jobs.c.id.in_(waiting))
    let_in = set(connection.execute(known).scalars()) if waiting else set[str]()
    create(connection, new)
    queues.require_no_cycle(connection, [each for each in waiting if each not in let_in])
    return True


def child_effects(parent: sa.Row[Any], child: str) -> str | None:
    """What the keys of a child's effects begin with, if not with its id."""
    return parent.keyed_as and parent.keyed_as + child.removeprefix(parent.id)


def get(connection: sa.Connection, job_id: str) -> sa.Row[Any]:
    """A job's row.

    Raises JobNotFound.
    """
    row = connection.execute(_get_job, {"job": job_id}).first()
    if row is None:
        raise JobNotFound(f"There is no job {job_id}.")
    return row


def require_not_erased(row: sa.Row[Any]) -> None:
    """Raise JobErased for a job of which only a tombstone is left."""
    if row.erased_at is not None:
        raise JobErased(
            f"Job {row.id} {row.status}, and was erased: what it was given and returned is gone. "
            f"When it was is still there: lampwork job {row.id}"
        )


def is_meant_to(connection: sa.Connection, job_id: str, want: Want, share: Share) -> bool:
    """Whether a job of this share is meant to do this. Raises JobNotFound."""
    row = get(connection, job_id)
    return row.want == want and row.status not in ENDED and share.has(connection, row)


def is_to_cancel(connection: sa.Connection, job_id: str, share: Share) -> bool:
    """Whether a job is meant to be cancelled, goes on, and is this process's to end."""
    row = get(connection, job_id)
    going_on = row.want == "cancelled" and row.status not in ENDED
    return going_on and share.has_charge(connection, row)


def if_ended(connection: sa.Connection, job_id: str) -> EndedJob | None:
    """How a job ended, None while it has not. Raises JobNotFound, JobErased."""
    row = get(connection, job_id)
    require_not_erased(row)
    return EndedJob(row.id, row.status, row.outcome) if row.status in ENDED else None


def begin(connection: sa.Connection, job_id: str, executor: str, version: str) -> Begun:
    """A run starts: a job that is wanted is running from here on; others are left as they are."""
    row = get(connection, job_id)
    if not is_alive(connection, executor):
        raise Conflict(f"{executor} was found to be gone, and may begin nothing.")
    if row.want in ("run", "parked") and row.status not in ENDED:
        connection.execute(_begin_job, {"job": job_id, "by": executor, "now": clock.now()})
    if row.started_at is None and row.copy_of is not None:
        # Who made the copy had not loaded its code.
        connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(version=version))
    return begun(connection, row)


def begun(connection: sa.Connection, row: sa.Row[Any]) -> Begun:
    """What was begun of a job."""
    lineage = tasks.lineage(connection, row.task_id)
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


def take_charge(connection: sa.Connection, job_ids: Sequence[str], share: Share) -> list[str]:
    """Take charge of jobs that are in nobody's who is alive; those that are the process's now."""
    taken = connection.execute(
        sa.update(jobs)
        .where(jobs.c.id.in_(job_ids), share.in_charge())
        .values(executor=share.executor)
        .returning(jobs.c.id)
    )
    return list(taken.scalars())


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
    row = get(connection, job_id)
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
    over = "cancelled" if status == "cancelled" else "failed"
    ended.answered += tasks.release_job(connection, job_id, ended=over)
    told, ended.freed = limits.release_job(connection, job_id, ended=True)
    ended.answered += told
    if row.parent_id is not None and not row.detached:
        _tell_parent(connection, row, ended)
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


def want_cancelled(connection: sa.Connection, job_id: str) -> list[str]:
    """Mark a job and all below it but detached ones as cancelled; returns those that had not ended.

    Raises JobNotFound, JobEnded.
    """
    row = get(connection, job_id)
    if row.status in ENDED:
        raise JobEnded(
            f"Job {job_id} has {row.status}; there is nothing to cancel.", job_status=row.status
        )
    return cancelled.want_cancelled(connection, [job_id])


def go_on(connection: sa.Connection, job_id: str) -> None:
    """Let a job that was stopped for attention run again, or one that is kept go on with new code.

    Raises JobNotFound, Conflict.
    """
    row = get(connection, job_id)
    is_kept = row.status not in ENDED and kept.code_of(connection, row) is not None
    if row.want != "attention" and not is_kept:
        stands = (
            f"has {row.status}" if row.status in ENDED else f"is {row.status} and was not stopped"
        )
        raise Conflict(f"Job {job_id} {stands}; there is nothing to go on with.")
    kept.release(connection, row.root_id)
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id, jobs.c.want == "attention")
        .values(want="run", status="suspended", attention=None, crashes=0, changed_at=clock.now())
    )
    news.tell(connection, "gone", job_id)


def to_cancel(connection: sa.Connection, share: Share) -> list[str]:
    """Jobs of a share that are meant to be cancelled and go on; on whatever code."""
    query = sa.select(jobs.c.id).where(
        jobs.c.want == "cancelled",
        jobs.c.status.not_in(ENDED),
        jobs.c.project == share.project,
        share.in_charge(),
    )
    if share.trees is not None:
        query = query.where(jobs.c.root_id.in_(share.trees))
    return list(connection.execute(query).scalars())


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


def log(connection: sa.Connection, job_id: str, number: int, message: str) -> None:
    """Keep a line that a recipe logged."""
    connection.execute(
        insert(logs)
        .values(job_id=job_id, number=number, at=clock.now(), message=message)
        .on_conflict_do_nothing()
    )
