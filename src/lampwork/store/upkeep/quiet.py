"""Conversations to which nobody has written for long, and which nothing refers to any more.

One stays as long as there is a job whose task wrote to it, or an unfinished job whose input names
it, or a copy of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from lampwork.store.schema import artifacts, conversations, entries, jobs, tasks
from lampwork.store.upkeep import remains
from lampwork.store.upkeep.prune import Amount, Search
from lampwork.types import ENDED

__all__ = ["Mentioned", "amount", "candidates", "judge", "take"]

_CONVERSATION = re.compile(r"\bc0[0-9a-z]{17}(?:\.\d+)+")

_SKEW = 3600.0
"""Seconds by which the clock may be set back between two jobs."""

_last_entry = (
    sa.select(entries.c.at)
    .where(entries.c.conversation_id == sa.bindparam("conversation"))
    .order_by(entries.c.seq.desc())
    .limit(1)
)
_trees_of = (
    sa.select(jobs.c.root_id)
    .join(tasks, tasks.c.job_id == jobs.c.id)
    .where(tasks.c.conversation_id == sa.bindparam("conversation"))
    .distinct()
)
_copies_of = sa.select(conversations.c.id).where(
    conversations.c.copied_from == sa.bindparam("conversation")
)


@dataclass(slots=True)
class Mentioned:
    """The conversations that the inputs of unfinished jobs name: they may continue them."""

    ids: set[str] = field(default_factory=set[str])
    until: float = 0.0
    """Of the youngest job whose input was read."""

    def refresh(self, connection: sa.Connection) -> None:
        """Read the inputs of the unfinished jobs that have come since."""
        rows = connection.execute(
            sa.select(jobs.c.created_at, sa.cast(jobs.c.input, sa.Text).label("input")).where(
                jobs.c.status.not_in(ENDED), jobs.c.created_at > self.until - _SKEW
            )
        )
        for row in rows:
            self.until = max(self.until, row.created_at)
            self.ids.update(_CONVERSATION.findall(row.input))


def candidates(
    connection: sa.Connection, search: Search, *, after: str | None, limit: int
) -> Sequence[str]:
    """Conversations that began before the moment, the youngest first, some at a time.

    So copies come before what they are copied from.
    """
    id = conversations.c.id
    query = sa.select(id).where(conversations.c.created_at < search.conversations_before)
    if search.project is not None:
        query = query.where(conversations.c.project == search.project)
    if after is not None:
        query = query.where(id < after)
    return connection.execute(query.order_by(id.desc()).limit(limit)).scalars().all()


def judge(
    connection: sa.Connection, ids: Sequence[str], search: Search, mentioned: Mentioned
) -> list[str]:
    """Those of these conversations that go, if all trees and conversations go that are to."""
    mentioned.refresh(connection)
    query = sa.select(conversations).where(conversations.c.id.in_(ids))
    rows = {row.id: row for row in connection.execute(query)}
    found: list[str] = []
    for each in ids:
        if each in rows and each not in mentioned.ids and _is_quiet(connection, rows[each], search):
            search.quiet.add(each)
            found.append(each)
    return found


def _is_quiet(connection: sa.Connection, row: sa.Row[Any], search: Search) -> bool:
    of = {"conversation": row.id}
    last = connection.execute(_last_entry, of).scalar()
    if last is not None and last >= search.conversations_before:
        return False
    copies = set(connection.execute(_copies_of, of).scalars())
    trees = set(connection.execute(_trees_of, of).scalars())
    if row.copied_for is not None:
        copy = sa.select(jobs.c.id).where(jobs.c.id == row.copied_for)
        trees |= set(connection.execute(copy).scalars())
    return copies <= search.quiet and trees <= search.going


def amount(connection: sa.Connection, ids: Sequence[str]) -> Amount:
    """How much would go with these."""
    in_them = tasks.c.conversation_id.in_(ids)
    written = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(_text(entries.c.body))), 0)
    ).where(entries.c.conversation_id.in_(ids))
    saved = sa.select(sa.func.coalesce(sa.func.sum(artifacts.c.size), 0)).where(
        artifacts.c.task_id.in_(sa.select(tasks.c.id).where(in_them))
    )
    count, size = connection.execute(written).one()
    return Amount(
        tasks=connection.execute(sa.select(sa.func.count()).where(in_them)).scalar_one(),
        conversations=len(ids),
        entries=count,
        bytes=size + connection.execute(saved).scalar_one(),
    )


def _text(column: sa.Column[Any]) -> sa.Cast[str]:
    return sa.cast(column, sa.Text)


def take(
    connection: sa.Connection, ids: Sequence[str], search: Search, mentioned: Mentioned
) -> list[str]:
    """Remove those of these conversations that are still to go; their entries are swept."""
    gone = judge(connection, ids, search, mentioned)
    remains.mark(connection, gone)
    connection.execute(sa.delete(conversations).where(conversations.c.id.in_(gone)))
    return gone
