"""Deleting what has ended: whole trees of jobs, with all that only they have.

Trees are linked: a copy of a job is to its original, and tasks are to all others that wrote to the
same conversation. What is linked goes together, or not at all. `take` removes its jobs, tasks and
conversations in one transaction, so that nobody finds half of them, and writes their ids into
`pruned`; `sweep` deletes what these leave behind, a bounded number of rows at a time. What a crash
leaves in `pruned` is swept the next time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import sqlalchemy as sa

from lampwork.store.schema import executors, jobs, pruned, writers
from lampwork.types import ENDED

__all__ = [
    "Amount",
    "Search",
    "amount",
    "candidates",
    "left",
    "processes",
    "sweep",
    "take",
    "used",
]

KEYS_KEPT = 86400.0
"""Seconds for which an idempotency key leads to its job."""

_WRITERS_KEPT = 86400.0
"""Seconds after its last commit for which a writer may want to read back whether it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much it is."""

    trees: int = 0
    jobs: int = 0
    tasks: int = 0
    conversations: int = 0
    entries: int = 0
    bytes: int = 0
    """Of conversations, artifacts, and the files and large values that no other job has."""

    def __add__(self, other: Amount) -> Amount:
        names = (each.name for each in fields(self))
        return Amount(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(slots=True)
class Search:
    """What is looked for, and what is known so far of trees that stay."""

    ended_before: float
    now: float
    stay: set[str] = field(default_factory=set[str])
    """Roots of trees that are linked with one that stays."""
    mentioned: set[str] = field(default_factory=set[str])
    """Conversations that the inputs of unfinished jobs name: they may continue them."""
    seen: int = -1
    """Up to which row inputs were read."""

    def refresh(self, connection: sa.Connection) -> None:
        """Read the inputs of the unfinished jobs that have come since."""
        rows = connection.execute(_inputs, {"seen": self.seen, "ended": json.dumps(list(ENDED))})
        for row in rows:
            self.seen = max(self.seen, row.rowid)
            self.mentioned.update(_CONVERSATION.findall(row.input))


_CONVERSATION = re.compile(r"\bc0[0-9a-z]{17}(?:\.\d+)+")

_inputs = sa.text(
    "select rowid, input from jobs where rowid > :seen"
    " and status not in (select value from json_each(:ended))"
)

_ROOTS = "(select value from json_each(:roots))"
_OWN = f"(select id from jobs where root_id in {_ROOTS})"
_TALKS = f"(select distinct conversation_id from tasks where job_id in {_OWN})"

_stays = sa.text(
    f"select 1 from jobs where root_id in {_ROOTS} and (ended_at is null"
    " or ended_at >= :ended_before or status not in (select value from json_each(:ended))"
    " or (idempotency_key is not null and created_at >= :young)) limit 1"
)
_linked = sa.text(
    "select original.root_id from jobs join jobs original on original.id = jobs.copy_of"
    f" where jobs.root_id in {_ROOTS}"
    f" union select root_id from jobs where copy_of in {_OWN}"
    " union select jobs.root_id from tasks join jobs on jobs.id = tasks.job_id"
    f" where tasks.conversation_id in {_TALKS} or tasks.conversation_id in"
    f" (select copied_from from conversations where id in {_TALKS})"
)
_talks = sa.text(_TALKS[1:-1])


def candidates(
    connection: sa.Connection, ended_before: float, *, after: str, limit: int
) -> Sequence[str]:
    """The ids of roots that ended before a moment, in their order, some at a time."""
    query = (
        sa.select(jobs.c.id)
        .where(jobs.c.id == jobs.c.root_id, jobs.c.ended_at < ended_before, jobs.c.id > after)
        .order_by(jobs.c.id)
        .limit(limit)
    )
    return connection.execute(query).scalars().all()


def amount(connection: sa.Connection, roots: Sequence[str], search: Search) -> Amount:
    """How much would go with these trees, of which some may stay."""
    search.refresh(connection)
    found = Amount()
    for root in roots:
        if (linked := _together(connection, root, search)) is not None:
            found += _count(connection, linked) + Amount(bytes=_size(connection, linked))
            search.stay |= linked  # they are counted
    return found


def take(
    connection: sa.Connection, roots: Sequence[str], search: Search, *, at_most: int
) -> tuple[Amount, int]:
    """Remove the jobs, tasks and conversations of these trees, and of those linked with them.

    Stops behind the tree with which `at_most` jobs are reached; how many of `roots` are done with.
    """
    search.refresh(connection)
    gone = Amount()
    for number, root in enumerate(roots, 1):
        if (linked := _together(connection, root, search)) is not None:
            gone += _remove(connection, linked)
        if gone.jobs >= at_most:
            return gone, number
    return gone, len(roots)


def left(connection: sa.Connection, limit: int) -> Sequence[str]:
    """Ids of what is gone and has left rows behind, in their order."""
    query = sa.select(pruned.c.id).order_by(pruned.c.id).limit(limit)
    return connection.execute(query).scalars().all()


def sweep(connection: sa.Connection, ids: Sequence[str], *, at_most: int) -> int:
    """Delete what these have left behind, so many rows at the most; with how many it is done."""
    for done, each in enumerate(ids):
        for delete in _LEFT_BEHIND[each[0]]:
            at_most -= connection.execute(delete, {"id": each, "limit": at_most}).rowcount
            if at_most <= 0:
                return done
        connection.execute(sa.delete(pruned).where(pruned.c.id == each))
        at_most -= 1
    return len(ids)


def used(connection: sa.Connection) -> int:
    """The bytes of the database that are not free."""
    size, pages, free = (
        connection.exec_driver_sql(f"pragma {what}").scalar_one()
        for what in ("page_size", "page_count", "freelist_count")
    )
    return size * (pages - free)


def processes(connection: sa.Connection, search: Search) -> None:
    """Delete what is known of processes that are long gone."""
    newest = sa.select(executors.c.id).order_by(executors.c.started_at.desc()).limit(1)
    named = sa.select(jobs.c.executor).where(jobs.c.executor.is_not(None))
    connection.execute(
        sa.delete(executors).where(
            executors.c.closed_at < search.ended_before,
            executors.c.id.not_in(newest.scalar_subquery()),
            executors.c.id.not_in(named),
        )
    )
    connection.execute(sa.delete(writers).where(writers.c.at < search.now - _WRITERS_KEPT))


# --- what goes together ---


def _together(connection: sa.Connection, root: str, search: Search) -> set[str] | None:
    """The roots of all trees that are linked with one; None if one of them stays."""
    if root in search.stay or not _exists(connection, root):
        return None
    known, fresh = {root}, {root}
    while fresh:
        given = {"roots": json.dumps(sorted(fresh))}
        linked = set(connection.execute(_linked, given).scalars())
        if _one_stays(connection, fresh, search):
            search.stay |= known | linked
            return None
        fresh = linked - known
        known |= fresh
    return known


def _exists(connection: sa.Connection, root: str) -> bool:
    """Whether it is still there: it may have gone together with another one."""
    return connection.execute(sa.select(jobs.c.id).where(jobs.c.id == root)).first() is not None


def _one_stays(connection: sa.Connection, roots: Collection[str], search: Search) -> bool:
    given: dict[str, Any] = {
        "roots": json.dumps(sorted(roots)),
        "ended": json.dumps(list(ENDED)),
        "ended_before": search.ended_before,
        "young": search.now - KEYS_KEPT,
    }
    if connection.execute(_stays, given).first() is not None:
        return True
    talks = connection.execute(_talks, {"roots": given["roots"]}).scalars()
    return bool(search.mentioned) and not search.mentioned.isdisjoint(talks)


_counts = sa.text(
    f"select (select count(*) from jobs where root_id in {_ROOTS}) as jobs,"
    f" (select count(*) from tasks where job_id in {_OWN}) as tasks,"
    f" (select count(*) from {_TALKS}) as conversations,"
    f" (select count(*) from entries where conversation_id in {_TALKS}) as entries"
)
_bytes = sa.text(
    f"select (select coalesce(sum(length(body)), 0) from entries where conversation_id in {_TALKS})"
    " + (select coalesce(sum(size), 0) from artifacts where task_id in"
    f" (select id from tasks where job_id in {_OWN}))"
    " + (select coalesce(sum(length(content)), 0) from blobs where digest in"
    f" (select digest from blob_owners where owner in {_OWN}) and not exists (select 1 from"
    f" blob_owners where blob_owners.digest = blobs.digest and owner not in {_OWN}))"
)


def _count(connection: sa.Connection, roots: Collection[str]) -> Amount:
    row = connection.execute(_counts, {"roots": json.dumps(sorted(roots))}).one()
    return Amount(trees=len(roots), **dict(row._mapping))  # pyright: ignore[reportPrivateUsage]


def _size(connection: sa.Connection, roots: Collection[str]) -> int:
    return connection.execute(_bytes, {"roots": json.dumps(sorted(roots))}).scalar_one()


_MESSAGES = "topic >= own.id || ':' and topic < own.id || ';'"

_REMOVE = [
    sa.text(each)
    for each in (
        f"insert or ignore into pruned select conversation_id from tasks where job_id in {_OWN}",
        f"insert into pruned select id from tasks where job_id in {_OWN}",
        f"insert into pruned select id from jobs where root_id in {_ROOTS}",
        f"delete from inbox where wait_id in (select id from waits where job_id in {_OWN})",
        "delete from inbox where id in (select inbox.id from jobs own join inbox on"
        f" wait_id is null and {_MESSAGES} where own.root_id in {_ROOTS})",
        f"delete from waits where job_id in {_OWN}",
        f"delete from conversations where id in {_TALKS}",
        f"delete from tasks where job_id in {_OWN}",
        f"update triggers set job_id = null where job_id in {_OWN}",
        f"delete from jobs where root_id in {_ROOTS}",
    )
]


def _remove(connection: sa.Connection, roots: Collection[str]) -> Amount:
    gone = _count(connection, roots)
    for statement in _REMOVE:
        connection.execute(statement, {"roots": json.dumps(sorted(roots))})
    return gone


def _delete_from(table: str, condition: str) -> sa.TextClause:
    """At most so many rows of a table, if they are so."""
    return sa.text(
        f"delete from {table} where rowid in"
        f" (select rowid from {table} where {condition} limit :limit)"
    )


_LEFT_BEHIND = {
    "j": [
        _delete_from("calls", "job_id = :id"),
        _delete_from("ends", "job_id = :id"),
        _delete_from("logs", "job_id = :id"),
        _delete_from("blob_owners", "owner = :id"),
    ],
    "t": [
        _delete_from(
            "blob_owners",
            "owner in (select task_id || '.' || call || '/' || name"
            " from artifacts where task_id = :id)",
        ),
        _delete_from("artifacts", "task_id = :id"),
        _delete_from("line", "task_id = :id"),
        _delete_from("reservations", "task_id = :id"),
        _delete_from("budgets", "id = :id"),
    ],
    "c": [_delete_from("entries", "conversation_id = :id")],
}
"""What belongs to a job, a task and a conversation, by the first letter of their ids."""
