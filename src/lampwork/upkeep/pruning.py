"""Deleting what ended long ago, with all that belongs to it, while others work.

Each transaction is short, and between them are rests in which a worker beside it gets its turn.
What is interrupted is finished by the next run: see `store/upkeep/remains.py`.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from lampwork import clock, engine, failpoint
from lampwork.acting import actor
from lampwork.errors import FolderInUse
from lampwork.lock import FolderLock
from lampwork.place import Server
from lampwork.retention import Retention
from lampwork.store import blobs
from lampwork.store.people.audit import Act, nothing, recorded
from lampwork.store.processes import leases
from lampwork.store.store import Store
from lampwork.store.tasks import briefings, uploads
from lampwork.store.triggers import firings
from lampwork.store.upkeep import prune, quiet, remains
from lampwork.store.upkeep.prune import Amount, Search
from lampwork.store.upkeep.quiet import Mentioned
from lampwork.types import is_job_id

__all__ = [
    "Amount",
    "Space",
    "delete",
    "finish",
    "give_back",
    "keep_pruning",
    "plan",
    "prune_if_due",
]

T = TypeVar("T")

_ROOTS = 50
"""Trees that are looked at in one transaction."""

_JOBS = 100
"""Jobs that a transaction removes at the most, but for the roots of trees that are linked."""

_SWEPT_AFTER = 500
"""Jobs after which their rows go."""

_ROWS = 500
"""Rows that a transaction deletes of what they have left behind."""

_AT_A_STRETCH = 0.1
"""Seconds of writing, after which others get a turn."""

_REST = 0.12
"""Seconds: SQLite has no line. Who waits for it looks again at most 0.1 s later, and while one
process writes without a rest another one was seen to wait 6 s."""

_LOOK_EVERY = 60.0
"""Seconds at the most between two looks at whether it is time."""

_log = logging.getLogger("lampwork.retention")

_FILES = ("lampwork.db", "engine.db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What became of the space that was freed."""

    given_back: int
    """Bytes by which the files are smaller."""
    kept: (
        Literal[
            "a worker executes here",
            "the file is in use",
            "the disk is full",
            "the server gives it back by itself",
        ]
        | None
    )
    """Why the rest stays in the files, free for what is written next."""


async def plan(store: Store, older_than: float, *, conversations: float | None = None) -> Amount:
    """How much has ended longer ago than that, in seconds, and would go. See `delete`."""
    search, mentioned = _search(older_than, conversations), Mentioned()
    found, after = Amount(), None
    while roots := await store.read(prune.candidates, search, after=after, limit=_ROOTS):
        groups = await store.read(prune.judge, [root for _, root in roots], search)
        found += await store.read(prune.amount, groups)
        after = roots[-1]
    last = None
    while ids := await store.read(quiet.candidates, search, after=last, limit=_ROOTS):
        found += await store.read(
            quiet.amount, await store.read(quiet.judge, ids, search, mentioned)
        )
        last = ids[-1]
    return found


async def delete(
    store: Store,
    older_than: float,
    tell: Callable[[Amount], None] = lambda _: None,
    *,
    conversations: float | None = None,
    project: str | None = None,
) -> Amount:
    """Delete what has ended longer ago than that, in seconds; how much it was.

    Conversations go when nobody has written to them for so many seconds, which are as many or more,
    and all of their jobs are gone. With a project, only what is of it. Also what a run before this
    one was killed at. `tell` hears of it as it goes on.
    """
    search, turns = _search(older_than, conversations, project), _Turns(store)
    before = await _used(store)
    await finish(store)
    gone = await _delete_trees(turns, search, tell)
    await _sweep(turns)
    gone += await _delete_conversations(turns, search)
    await _sweep(turns)
    await turns.write(prune.processes, search)
    while await turns.write(firings.prune, search.jobs_before, search.project, _ROWS):
        failpoint.hit("prune.swept")
    while await turns.write(prune.rejections, search, at_most=_ROWS):
        failpoint.hit("prune.swept")
    await turns.write(briefings.collect)
    await turns.write(uploads.expire, search.now)
    while await turns.write(blobs.collect, search.now):
        failpoint.hit("prune.collected")
    if actor() is not None:
        await store.write(recorded(Act("jobs.prune", None, project, {"jobs": gone.jobs}), nothing))
    return gone + Amount(bytes=max(0, before - await _used(store)))


async def finish(store: Store) -> None:
    """Delete what is left of jobs, tasks and conversations that are gone or erased."""
    await _sweep(_Turns(store))


async def keep_pruning(
    store: Store, project: str, retention: Retention, executor: Callable[[], str]
) -> None:
    """Delete what the project's retention lets go, until the process ends.

    One executor of the project at a time does it; `executor` says which one this is.
    """
    while True:
        try:
            await prune_if_due(store, project, retention, executor())
        except Exception as error:
            facts = {"event": "retention.failed", "project": project}
            _log.error("deleting what is old failed: %s", error, exc_info=error, extra=facts)
        await asyncio.sleep(min(retention.interval, _LOOK_EVERY))


async def prune_if_due(
    store: Store, project: str, retention: Retention, executor_id: str
) -> Amount | None:
    """Delete what has become old enough; None if it is not time, or another executor does it."""
    name, rested = f"prune {project}", retention.interval
    if not await store.write(leases.acquire, name, executor_id, rested=rested):
        return None
    gone = await delete(
        store,
        retention.of_jobs,
        conversations=retention.of_conversations,
        project=project,
    )
    await store.write(leases.release, name, executor_id)
    if gone.jobs or gone.conversations:
        words = "deleted what is old: %s jobs in %s trees, %s conversations"
        extra = {"event": "retention.pruned", "project": project}
        _log.info(words, gone.jobs, gone.trees, gone.conversations, extra=extra)
    return gone


async def _delete_trees(turns: _Turns, search: Search, tell: Callable[[Amount], None]) -> Amount:
    store, gone, swept, after = turns.store, Amount(), 0, None
    while roots := await store.read(prune.candidates, search, after=after, limit=_ROOTS):
        groups = await store.read(prune.judge, [root for _, root in roots], search)
        after = roots[-1]
        while groups:
            taken, done = await turns.write(prune.take, groups, at_most=_JOBS)
            failpoint.hit("prune.taken")
            gone, groups = gone + taken, groups[done:]
        if gone.jobs >= swept + _SWEPT_AFTER:
            await _sweep(turns)
            swept = gone.jobs
        tell(gone)
    return gone


async def _delete_conversations(turns: _Turns, search: Search) -> Amount:
    store, gone, last, mentioned = turns.store, Amount(), None, Mentioned()
    search.going = set()  # now they are gone, or stay
    while ids := await store.read(quiet.candidates, search, after=last, limit=_ROOTS):
        last = ids[-1]
        found = await store.read(quiet.judge, ids, search, mentioned)
        counted = {each: await store.read(quiet.amount, [each]) for each in found}
        search.quiet -= set(found)
        for each in await turns.write(quiet.take, found, search, mentioned):
            gone += replace(counted[each], bytes=0)
        failpoint.hit("prune.quiet")
    return gone


@dataclass(slots=True)
class _Turns:
    """Writes, and rests often enough for others to get their turn."""

    store: Store
    _wrote: float = 0.0
    """Seconds since the last rest."""

    async def write(self, change: Callable[..., T], *what: Any, **how: Any) -> T:
        began = time.monotonic()
        done = await self.store.write(change, *what, **how)
        self._wrote += time.monotonic() - began
        if self._wrote >= _AT_A_STRETCH:
            await asyncio.sleep(_REST)
            self._wrote = 0.0
        return done


async def _used(store: Store) -> int:
    """The bytes in both files that are not free; a server tells no such thing."""
    if isinstance(store.place, Server):
        return 0
    of_engine = await asyncio.to_thread(engine.used, store.place)
    return await store.read(prune.used) + of_engine


def _search(older_than: float, conversations: float | None, project: str | None = None) -> Search:
    now = clock.now()
    kept = older_than if conversations is None else max(older_than, conversations)
    return Search(
        jobs_before=now - older_than, conversations_before=now - kept, now=now, project=project
    )


async def _sweep(turns: _Turns) -> None:
    """Delete what is left of jobs, tasks and conversations that are gone."""
    store = turns.store
    while ids := await store.read(remains.left, _SWEPT_AFTER):
        # The engine's first: that of a job is found by its id alone, which goes last.
        jobs = [each for each in ids if is_job_id(each)]
        await asyncio.to_thread(engine.delete_records, store.place, jobs)
        failpoint.hit("prune.recorded")
        while ids:
            done = await turns.write(remains.sweep, ids, at_most=_ROWS)
            failpoint.hit("prune.swept")
            ids = ids[done:]


def give_back(store: Store) -> Space:
    """Give the free space of the files back to the disk, unless a worker executes here. Blocks."""
    if isinstance(store.place, Server):
        return Space(given_back=0, kept="the server gives it back by itself")
    home = store.place.path
    try:
        lock = FolderLock(home)
    except FolderInUse:
        return Space(given_back=0, kept="a worker executes here")
    before, kept = _size(home), None
    try:
        store.compact()
        failpoint.hit("prune.compacted")
        engine.compact(store.place)
    except sqlite3.OperationalError as error:
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        kept = "the disk is full" if full else "the file is in use"
    finally:
        lock.release()
    return Space(given_back=max(0, before - _size(home)), kept=kept)


def _size(home: Path) -> int:
    files = (home / f"{name}{end}" for name in _FILES for end in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
