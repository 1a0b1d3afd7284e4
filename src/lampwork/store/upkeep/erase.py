"""Erasing what there is of a person: whose chats it is, or whom the metadata of tasks name.

Erased is a tree of jobs as a whole, because what a job was given and returned is also on record of
those above it, with its copies, with every conversation that it wrote to, and with whoever else
wrote there. A conversation goes. Of a job and of a task a tombstone stays: that it was, when, how
it ended, and what was spent.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from lampwork import clock
from lampwork.store.jobs import cancelled
from lampwork.store.schema import conversations, jobs, polled, tasks
from lampwork.store.triggers import firings
from lampwork.store.upkeep import remains
from lampwork.store.upkeep.keys import veiled
from lampwork.types import CARRIERS, ENDED, Json

__all__ = [
    "Found",
    "Person",
    "cancel",
    "find_in_chats",
    "find_in_jobs",
    "find_in_tasks",
    "jobs_of",
    "remove",
    "scrub",
    "spread",
    "unfinished",
]

_CHUNK = 500
"""Ids in one query."""

_scrub_job = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("job"))
    .values(
        input={},
        trigger=sa.bindparam("by"),
        outcome=None,
        traceback=None,
        attention=None,
        idempotency_key=sa.bindparam("key"),
        run=jobs.c.run + 1,  # a function of its last one that was left behind records nothing here
        erased_at=sa.bindparam("now"),
    )
)
_SCRUBBED_TASK: dict[str, Any] = {
    "instructions": "",
    "on_problem": None,
    "data": None,
    "metadata": {},
    "sealed": [],
    "output_schema": None,
    "output_type": None,
    "files": None,
    "outcome": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """How a person is found: by the user of chats, or by any of these values of metadata."""

    user: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def is_in(self, metadata: Mapping[str, Json], user: str | None = None) -> bool:
        """Whether one of these names the person. A text also stands for the number it reads as."""
        if self.user is not None and user == self.user:
            return True
        return any(
            key in metadata and value in (metadata[key], _as_text(metadata[key]))
            for key, value in self.metadata.items()
        )


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(slots=True)
class Found:
    """What is about the person."""

    roots: set[str] = field(default_factory=set[str])
    conversations: set[str] = field(default_factory=set[str])


# --- what is about a person ---


def find_in_chats(connection: sa.Connection, person: Person) -> list[str]:
    """The conversations whose user it is."""
    if person.user is None:
        return []
    query = sa.select(conversations.c.id).where(conversations.c.user == person.user)
    return list(connection.execute(query).scalars())


def find_in_tasks(
    connection: sa.Connection, person: Person, *, after: str, limit: int
) -> tuple[Found, str | None]:
    """Some of the tasks whose metadata name the person; after which to go on, if there are more."""
    query = (
        sa.select(tasks.c.id, tasks.c.conversation_id, tasks.c.metadata, jobs.c.root_id)
        .outerjoin(jobs, jobs.c.id == tasks.c.job_id)
        .where(tasks.c.id > after)
        .order_by(tasks.c.id)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    found = Found()
    for row in rows:
        if person.is_in(row.metadata):
            found.conversations.add(row.conversation_id)
            found.roots |= {row.root_id} - {None}
    return found, rows[-1].id if len(rows) == limit else None


def find_in_jobs(
    connection: sa.Connection, person: Person, *, after: str, limit: int
) -> tuple[Found, str | None]:
    """Some of the jobs that carry a task or a message of the person, which may never have begun."""
    query = (
        sa.select(jobs.c.id, jobs.c.root_id, jobs.c.input)
        .where(jobs.c.id > after, jobs.c.callable.in_(CARRIERS), jobs.c.erased_at.is_(None))
        .order_by(jobs.c.id)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    found = Found()
    for row in rows:
        for carried in row.input.values():
            if person.is_in(carried["metadata"], carried.get("user")):
                found.roots.add(row.root_id)
    return found, rows[-1].id if len(rows) == limit else None


def spread(connection: sa.Connection, found: Found) -> Found:
    """What is erased with it: copies, the conversations that were written to, who wrote there."""
    known = Found()
    fresh = found
    while fresh.roots or fresh.conversations:
        known.roots |= fresh.roots
        known.conversations |= fresh.conversations
        linked = Found()
        for some in _chunks(fresh.roots):
            _link_trees(connection, some, linked)
        for some in _chunks(fresh.conversations):
            _link_conversations(connection, some, linked)
        fresh = Found(
            linked.roots - known.roots, linked.conversations - known.conversations - {None}
        )
    return known


def _link_trees(connection: sa.Connection, roots: Sequence[str], linked: Found) -> None:
    there = sa.select(jobs.c.id)
    originals = sa.select(jobs.c.copy_of).where(jobs.c.id.in_(roots), jobs.c.copy_of.is_not(None))
    for more in (there.where(jobs.c.id.in_(originals)), there.where(jobs.c.copy_of.in_(roots))):
        linked.roots |= set(connection.execute(more).scalars())
    written = sa.select(tasks.c.conversation_id).join(jobs, jobs.c.id == tasks.c.job_id)
    for wrote in (
        written.where(jobs.c.root_id.in_(roots)).distinct(),
        sa.select(conversations.c.id).where(conversations.c.copied_for.in_(roots)),
    ):
        linked.conversations |= set(connection.execute(wrote).scalars())


def _link_conversations(connection: sa.Connection, ids: Sequence[str], linked: Found) -> None:
    writers = sa.select(jobs.c.root_id).join(tasks, jobs.c.id == tasks.c.job_id)
    wrote = writers.where(tasks.c.conversation_id.in_(ids)).distinct()
    linked.roots |= set(connection.execute(wrote).scalars())
    for same in (
        sa.select(conversations.c.id).where(conversations.c.copied_from.in_(ids)),
        sa.select(conversations.c.copied_from).where(conversations.c.id.in_(ids)),
    ):
        linked.conversations |= set(connection.execute(same).scalars())


def _chunks(ids: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]


# --- what has not ended ---


def unfinished(connection: sa.Connection, roots: Collection[str]) -> list[str]:
    """The roots of those of these trees of which a job has not ended."""
    found: list[str] = []
    for some in _chunks(roots):
        open_jobs = jobs.c.root_id.in_(some) & jobs.c.status.not_in(ENDED)
        query = sa.select(jobs.c.root_id).where(open_jobs).distinct().order_by(jobs.c.root_id)
        found += connection.execute(query).scalars()
    return found


def cancel(connection: sa.Connection, roots: Sequence[str]) -> list[str]:
    """Let all jobs of these trees be cancelled; those that had not ended."""
    query = sa.select(jobs.c.id).where(jobs.c.root_id.in_(roots), jobs.c.status.not_in(ENDED))
    return cancelled.want_all_cancelled(connection, connection.execute(query).scalars().all())


# --- the erasure ---


def jobs_of(
    connection: sa.Connection, roots: Collection[str], *, limit: int | None = None
) -> list[str]:
    """The jobs of these trees that are not erased yet."""
    found: list[str] = []
    for some in _chunks(roots):
        of_them = jobs.c.root_id.in_(some) & jobs.c.erased_at.is_(None)
        room = None if limit is None else limit - len(found)
        found += connection.execute(sa.select(jobs.c.id).where(of_them).limit(room)).scalars()
        if len(found) == limit:
            break
    return found


def remove(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Remove conversations; what was said and saved in them is swept."""
    of_no_job = ~sa.exists().where(jobs.c.id == tasks.c.job_id)
    query = sa.select(tasks.c.id).where(tasks.c.conversation_id.in_(ids), of_no_job)
    for some in _chunks(connection.execute(query).scalars().all()):
        remains.mark_blobs(connection, some)
    remains.mark(connection, ids)
    connection.execute(sa.delete(conversations).where(conversations.c.id.in_(ids)))


def scrub(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Make tombstones of jobs that have ended; what belongs to them is swept."""
    ended = jobs.c.id.in_(ids) & jobs.c.status.in_(ENDED)
    query = sa.select(jobs.c.id, jobs.c.trigger, jobs.c.idempotency_key).where(ended)
    rows = connection.execute(query).all()
    if not rows:
        return
    ids = [row.id for row in rows]
    of_jobs = tasks.c.job_id.in_(ids)
    task_ids = connection.execute(sa.select(tasks.c.id).where(of_jobs)).scalars().all()
    remains.mark_blobs(connection, [*ids, *task_ids])
    remains.delete_waits(connection, ids)
    _veil_keys_of_polls(connection, ids)
    tombstones = [
        {
            "job": row.id,
            "by": {"kind": row.trigger["kind"]},
            "key": row.idempotency_key and veiled(row.idempotency_key),
            "now": clock.now(),
        }
        for row in rows
    ]
    firings.veil(connection, ids)
    connection.execute(_scrub_job, tombstones)
    connection.execute(sa.update(tasks).where(of_jobs).values(_SCRUBBED_TASK))
    remains.mark(connection, [*ids, *task_ids])


def _veil_keys_of_polls(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """An item that has started a job starts no second one, whatever becomes of its key."""
    query = sa.select(polled.c.trigger_id, polled.c.key).where(polled.c.job_id.in_(job_ids))
    for row in connection.execute(query).all():
        connection.execute(
            sa.update(polled)
            .where(polled.c.trigger_id == row.trigger_id, polled.c.key == row.key)
            .values(key=veiled(row.key))
        )
