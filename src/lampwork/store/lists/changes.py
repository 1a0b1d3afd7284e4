"""What has changed lately, for those who show it: jobs and conversations, by number."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from lampwork.store.schema import conversations, jobs

_AT_MOST = 20_000


def jobs_since(connection: sa.Connection, moment: float, project: str) -> dict[str, float]:
    """The jobs that were changed after a moment, and when; of very many, the last ones."""
    found = connection.execute(
        sa.select(jobs.c.id, jobs.c.changed_at)
        .where(jobs.c.changed_at > moment, jobs.c.project == project)
        .order_by(jobs.c.changed_at.desc())
        .limit(_AT_MOST)
    )
    return {row.id: row.changed_at for row in found}


def last_entries(connection: sa.Connection, conversation_ids: Collection[str]) -> dict[str, int]:
    """The number of the last entry of each of these conversations."""
    last = sa.select(conversations.c.id, conversations.c.last_seq)
    found = connection.execute(last.where(conversations.c.id.in_(conversation_ids)))
    return {row.id: row.last_seq for row in found}
