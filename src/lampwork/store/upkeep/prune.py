"""Trees of jobs that ended long ago: whole, and together with their copies, or not at all.

What is found here in a snapshot stays true, but for copies that are made meanwhile: a job that has
ended is over. So a tree is judged while others write, and `take` looks at its copies alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import sqlalchemy as sa

from lampwork.store.schema import blob_owners, blobs, executors, jobs, polled, triggers, writers
from lampwork.store.upkeep import remains
from lampwork.types import ENDED

__all__ = [
    "Amount",
    "Group",
    "Search",
    "amount",
    "candidates",
    "judge",
    "processes",
    "rejections",
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


@dataclass(slots=True, kw_only=True)
class Search:
    """What is looked for, and what is known so far."""

    jobs_before: float
    """When all of a tree must have ended."""
    conversations_before: float
    """When a conversation must have been written to last."""
    now: float
    project: str | None = None
    """Whose; None for all."""
    stay: set[str] = field(default_factory=set[str])
    """Roots of trees that stay."""
    going: set[str] = field(default_factory=set[str])
    """Roots of trees that were found to go."""
    quiet: set[str] = field(default_factory=set[str])
    """Conversations that were found to go."""


@dataclass(frozen=True, slots=True)
class Group:
    """The roots of trees that go together, because they are copies of each other."""

    roots: frozenset[str]
    jobs: int


Place = tuple[float, str]
"""Of a root in their order: when it ended, and its id."""


def candidates(
    connection: sa.Connection, search: Search, *, after: Place | None, limit: int
) -> list[Place]:
    """Roots that ended before the moment, the eldest first, some at a time."""
    ended, id = jobs.c.ended_at, jobs.c.id
    query = sa.select(ended, id).where(jobs.c.parent_id.is_(None), ended < search.jobs_before)
    if search.project is not None:
        query = query.where(jobs.c.project == search.project)
    if after is not None:
        later = sa.tuple_(ended, id) > sa.tuple_(*map(sa.literal, after))
        query = query.where(ended >= after[0], later)
    return [tuple(row) for row in connection.execute(query.order_by(ended, id).limit(limit))]


def judge(connection: sa.Connection, roots: Sequence[str], search: Search) -> list[Group]:
    """Those of these trees that go, each once, with those that go with it."""
    found: list[Group] = []
    for root in roots:
        if root not in search.going and (linked := _together(connection, root, search)):
            search.going |= linked
            found.append(Group(frozenset(linked), _count(connection, linked)))
    return found


def amount(connection: sa.Connection, groups: Sequence[Group]) -> Amount:
    """How much would go with these."""
    size = sum(_size(connection, group.roots) for group in groups)
    return _amount_of(groups) + Amount(bytes=size)


def take(connection: sa.Connection, groups: Sequence[Group], *, at_most: int) -> tuple[Amount, int]:
    """Remove trees, until `at_most` jobs are removed; what of, and how many groups that were.

    The root of a tree goes, and with it as many of the others as there is room for; those of a
    larger one are swept afterwards. A tree of which a copy was made meanwhile stays.
    """
    gone: list[Group] = []
    room = at_most
    for number, group in enumerate(groups, 1):
        if _linked(connection, group.roots) <= group.roots:
            _take(connection, group.roots, max(0, room - len(group.roots)))
            gone.append(group)
            room -= group.jobs
        if room <= 0:
            return _amount_of(gone), number
    return _amount_of(gone), len(groups)


def _take(connection: sa.Connection, roots: Collection[str], room: int) -> None:
    below = sa.select(jobs.c.id).where(jobs.c.root_id.in_(roots), jobs.c.parent_id.is_not(None))
    found = connection.execute(below.limit(room)).scalars().all()
    remains.take_jobs(connection, [*roots, *found])


def _amount_of(groups: Sequence[Group]) -> Amount:
    return Amount(
        trees=sum(len(each.roots) for each in groups), jobs=sum(each.jobs for each in groups)
    )


# --- what goes together ---


def _together(connection: sa.Connection, root: str, search: Search) -> set[str] | None:
    """The roots of all trees that are copies of each other; None if one of them stays."""
    if root in search.stay:
        return None
    known, fresh = {root}, {root}
    while fresh:
        if _one_stays(connection, fresh, search):
            search.stay |= known
            return None
        fresh = _linked(connection, fresh) - known
        known |= fresh
    return known


def _linked(connection: sa.Connection, roots: Collection[str]) -> set[str]:
    """The originals of these that are there, and their copies. Only roots are copied."""
    originals = sa.select(jobs.c.copy_of).where(jobs.c.id.in_(roots), jobs.c.copy_of.is_not(None))
    there = sa.select(jobs.c.id).where(jobs.c.id.in_(originals))
    copies = sa.select(jobs.c.id).where(jobs.c.copy_of.is_not(None), jobs.c.copy_of.in_(roots))
    return set(connection.execute(there.union(copies)).scalars())


def _one_stays(connection: sa.Connection, roots: Collection[str], search: Search) -> bool:
    """Whether a job of these trees has not ended that long ago, or its key must be known."""
    unfinished = sa.or_(
        jobs.c.ended_at.is_(None),
        jobs.c.ended_at >= search.jobs_before,
        jobs.c.status.not_in(ENDED),
    )
    keyed = sa.and_(
        jobs.c.idempotency_key.is_not(None), jobs.c.created_at >= search.now - KEYS_KEPT
    )
    query = sa.select(jobs.c.id).where(jobs.c.root_id.in_(roots), sa.or_(unfinished, keyed))
    return connection.execute(query.limit(1)).first() is not None


def _count(connection: sa.Connection, roots: Collection[str]) -> int:
    query = sa.select(sa.func.count()).select_from(jobs).where(jobs.c.root_id.in_(roots))
    return connection.execute(query).scalar_one()


def _size(connection: sa.Connection, roots: Collection[str]) -> int:
    """The bytes of the blobs that nobody else has."""
    own = sa.select(jobs.c.id).where(jobs.c.root_id.in_(roots))
    digests = sa.select(blob_owners.c.digest).where(blob_owners.c.owner.in_(own))
    others = sa.exists().where(
        blob_owners.c.digest == blobs.c.digest, blob_owners.c.owner.not_in(own)
    )
    size = sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(blobs.c.content)), 0))
    return connection.execute(size.where(blobs.c.digest.in_(digests), ~others)).scalar_one()


# --- beside the trees ---


def used(connection: sa.Connection) -> int:
    """The bytes of a SQLite file that are not free."""
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
            executors.c.closed_at < search.jobs_before,
            executors.c.id.not_in(newest.scalar_subquery()),
            executors.c.id.not_in(named),
        )
    )
    connection.execute(sa.delete(writers).where(writers.c.at < search.now - _WRITERS_KEPT))


def rejections(connection: sa.Connection, search: Search, *, at_most: int) -> int:
    """Delete some of what polls found long ago and could not start; how many it were.

    If an item of them is found again, it is news again. The keys of those that started jobs stay.
    """
    key = (polled.c.trigger_id, polled.c.key)
    old: Any = (
        sa.select(*key)
        .join(triggers, triggers.c.id == polled.c.trigger_id)
        .where(polled.c.rejected.is_not(None), polled.c.at < search.jobs_before)
        .limit(at_most)
    )
    if search.project is not None:
        old = old.where(triggers.c.project == search.project)
    return connection.execute(sa.delete(polled).where(sa.tuple_(*key).in_(old))).rowcount
