"""Jobs come to be: accepted from outside, started by other jobs, by triggers and by their ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.store import blobs
from lampwork.store.jobs import queues
from lampwork.store.jobs.jobs import get
from lampwork.store.processes import news
from lampwork.store.schema import jobs
from lampwork.store.upkeep import restorations
from lampwork.types import Json, Want

_insert_job = insert(jobs).on_conflict_do_nothing()


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
    let_in: set[str] = set()
    if waiting:
        known = sa.select(jobs.c.id).where(jobs.c.id.in_(waiting))
        let_in |= set(connection.execute(known).scalars())
    create(connection, new)
    queues.require_no_cycle(connection, [each for each in waiting if each not in let_in])
    return True


def child_effects(parent: sa.Row[Any], child: str) -> str | None:
    """What the keys of a child's effects begin with, if not with its id."""
    return parent.keyed_as and parent.keyed_as + child.removeprefix(parent.id)
