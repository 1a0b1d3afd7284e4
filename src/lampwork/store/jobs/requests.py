"""Jobs that are asked for from outside, and the keys under which the same is asked for again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import IdempotencyConflict
from lampwork.store.jobs import queued
from lampwork.store.jobs.new_jobs import NewJob, create
from lampwork.store.schema import jobs
from lampwork.store.schema.base import Apart
from lampwork.store.upkeep.keys import veiled
from lampwork.types import effect_base

_KEY_LIFETIME = 24 * 3600
"""Seconds for which an idempotency key leads back to its job."""


def accept(
    connection: sa.Connection,
    new: NewJob,
    key: str | None,
    digest: str,
    max_queued: int | None = None,
) -> str:
    """Insert a job from outside; the same key within 24 hours leads to the same job.

    Raises IdempotencyConflict when the key came with another body, QueueFull.
    """
    if key is None:
        _create(connection, new, max_queued)
        return new.id
    last = connection.execute(
        sa.select(jobs.c.id, jobs.c.request_digest, jobs.c.created_at)
        .where(
            jobs.c.project == new.project,
            jobs.c.idempotency_key.in_((key, veiled(key))),
        )
        .order_by(Apart(jobs.c.created_at).desc())
    ).first()
    now = clock.now()
    if last is not None and last.created_at > now - _KEY_LIFETIME:
        if last.request_digest == digest:
            return last.id
        raise IdempotencyConflict(
            f'The idempotency key "{key}" started job {last.id} with another recipe or input. '
            "Use a new key for new work.",
            job_id=last.id,
        )
    # The job before it and the month tell new work under an old key from the same request again.
    month = datetime.fromtimestamp(now, UTC).strftime("%Y-%m")
    origin = ("key", new.project, key, digest, month, "" if last is None else last.id)
    _create(connection, replace(new, keyed_as=effect_base(*origin)), max_queued)
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == new.id)
        .values(idempotency_key=key, request_digest=digest)
    )
    return new.id


def _create(connection: sa.Connection, new: NewJob, max_queued: int | None) -> None:
    if max_queued is not None:
        queued.require_room(connection, new.project, max_queued)
    create(connection, [new])
