"""The tasks below a task."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from lampwork.store import blobs
from lampwork.store.schema import calls, tasks

_below = (
    sa.select(tasks, calls.c.envelope)
    .outerjoin(calls, sa.and_(calls.c.job_id == tasks.c.job_id, calls.c.number == tasks.c.call))
    .where(tasks.c.parent_id == sa.bindparam("task"))
    .order_by(tasks.c.created_at, tasks.c.id)
)


def right_below(connection: sa.Connection, task: str) -> list[tuple[sa.Row[Any], str | None]]:
    """The tasks right below one, in their order, with what is recorded of those that have ended."""
    rows = connection.execute(_below, {"task": task}).all()
    return [(row, row.envelope and blobs.unfold(connection, row.envelope)) for row in rows]
