"""Rows of firings: each delivery to a webhook and each call of an endpoint, and what became of it.

A job and the firing that started it are written in one transaction, so that a delivery starts one
job however often it comes, and however often the process dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import TriggerPaused
from lampwork.store.jobs import new_jobs, queued, requests
from lampwork.store.jobs.new_jobs import NewJob
from lampwork.store.schema import firings, jobs
from lampwork.store.schema import triggers as triggers_table
from lampwork.store.triggers import triggers
from lampwork.store.triggers.triggers import Defined
from lampwork.store.upkeep.keys import veiled

Row = sa.Row[Any]


@dataclass(frozen=True, slots=True)
class Arrival:
    """What has come to a trigger, and from where."""

    project: str
    trigger: Defined
    address: str | None
    delivery: str | None
    """The id of a delivery, or the idempotency key of a call."""


def accept_delivery(
    connection: sa.Connection, arrival: Arrival, new: NewJob, max_queued: int | None
) -> Row:
    """Start a job for a delivery; one that has started a job before is that firing again.

    Raises TriggerPaused, QueueFull.
    """
    trigger_id = _open(connection, arrival)
    known = _find(connection, trigger_id, arrival.delivery or "")
    if known is not None:
        return known
    if max_queued is not None:
        queued.require_room(connection, new.project, max_queued)
    new_jobs.create(connection, [new])
    return _fired(connection, trigger_id, arrival, new.id)


def accept_call(
    connection: sa.Connection,
    arrival: Arrival,
    new: NewJob,
    digest: str,
    max_queued: int | None,
) -> Row:
    """Start a job for a call; the same key within 24 hours leads to the same job.

    Raises TriggerPaused, QueueFull, IdempotencyConflict.
    """
    trigger_id = _open(connection, arrival)
    job_id = requests.accept(connection, new, arrival.delivery, digest, max_queued)
    if job_id != new.id:
        known = connection.execute(sa.select(firings).where(firings.c.job_id == job_id)).first()
        if known is not None:
            return known
    return _fired(connection, trigger_id, arrival, job_id)


def _open(connection: sa.Connection, arrival: Arrival) -> int:
    """The id of a trigger that is not paused."""
    trigger_id = triggers.ensure(connection, arrival.project, arrival.trigger, clock.now())
    paused = triggers.get(connection, trigger_id).paused
    if paused is not None:
        raise TriggerPaused(
            f"{arrival.trigger.identity} is paused by {paused['by']}. Try again later, or start "
            f"it: lampwork trigger {arrival.trigger.recipe} start",
            by=paused["by"],
        )
    return trigger_id


def _find(connection: sa.Connection, trigger_id: int, delivery: str) -> Row | None:
    query = sa.select(firings).where(
        firings.c.trigger_id == trigger_id,
        firings.c.delivery.in_((delivery, veiled(delivery))),
        firings.c.job_id.is_not(None),
    )
    return connection.execute(query).first()


def _fired(connection: sa.Connection, trigger_id: int, arrival: Arrival, job_id: str) -> Row:
    now = clock.now()
    triggers.has_fired(connection, trigger_id, job_id, now)
    written = _write(connection, trigger_id, arrival, job_id=job_id, at=now)
    return connection.execute(sa.select(firings).where(firings.c.id == written)).one()


def reject(connection: sa.Connection, arrival: Arrival, why: str) -> None:
    """Write down why something that came has started no job."""
    now = clock.now()
    trigger_id = triggers.ensure(connection, arrival.project, arrival.trigger, now)
    _write(connection, trigger_id, arrival, rejected=why, at=now)


def _write(connection: sa.Connection, trigger_id: int, arrival: Arrival, **what: Any) -> int:
    values = {"trigger_id": trigger_id, "delivery": arrival.delivery, "address": arrival.address}
    new = sa.insert(firings).values(**values, **what)
    return connection.execute(new.returning(firings.c.id)).scalar_one()


def of_trigger(connection: sa.Connection, trigger_id: int, limit: int) -> Sequence[Row]:
    """What has come to a trigger, the newest first."""
    query = sa.select(firings).where(firings.c.trigger_id == trigger_id)
    return connection.execute(query.order_by(firings.c.id.desc()).limit(limit)).all()


def counts_of_rejections(connection: sa.Connection) -> dict[int, int]:
    """By trigger: how much that came has started no job."""
    query = sa.select(firings.c.trigger_id, sa.func.count()).where(firings.c.rejected.is_not(None))
    return {row[0]: row[1] for row in connection.execute(query.group_by(firings.c.trigger_id))}


def veil(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """A delivery that has started a job starts no second one, whatever becomes of its id."""
    for row in connection.execute(sa.select(firings).where(firings.c.job_id.in_(job_ids))).all():
        kept = {"delivery": row.delivery and veiled(row.delivery), "address": None}
        connection.execute(sa.update(firings).where(firings.c.id == row.id).values(**kept))


def prune(connection: sa.Connection, before: float, project: str | None, at_most: int) -> int:
    """Delete some of what came before a time and has no job, or none any more; how many."""
    of_jobs = sa.select(jobs.c.id).where(jobs.c.id == firings.c.job_id).exists()
    old = sa.select(firings.c.id).where(
        firings.c.at < before, sa.or_(firings.c.job_id.is_(None), sa.not_(of_jobs))
    )
    if project is not None:
        named = triggers_table.c.project == project
        of_project = sa.select(triggers_table.c.id).where(named)
        old = old.where(firings.c.trigger_id.in_(of_project))
    gone = sa.delete(firings).where(firings.c.id.in_(old.limit(at_most)))
    return connection.execute(gone).rowcount
