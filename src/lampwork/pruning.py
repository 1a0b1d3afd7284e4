"""Deleting jobs that ended long ago, with all that belongs to them, while others work.

Each transaction is short, and between them are rests in which a worker beside it gets its turn.
What is interrupted is finished by the next run: see `store/prune.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from lampwork import clock, engine, failpoint
from lampwork.errors import FolderInUse
from lampwork.lock import FolderLock
from lampwork.place import Folder
from lampwork.store import blobs, prune
from lampwork.store.prune import Amount, Search
from lampwork.store.store import Store

__all__ = ["Amount", "Space", "delete", "give_back", "plan"]

T = TypeVar("T")

_ROOTS = 50
"""Trees that are looked at in one transaction."""

_JOBS = 500
"""Jobs with which a transaction is full, and after which their rows go. Linked trees go in one all
the same."""

_ROWS = 1000
"""Rows that a transaction deletes of what they have left behind."""

_AT_A_STRETCH = 0.1
"""Seconds of writing, after which others get a turn."""

_REST = 0.12
"""Seconds: SQLite has no line. Who waits for it looks again at most 0.1 s later, and while one
process writes without a rest another one was seen to wait 6 s."""

_FILES = ("lampwork.db", "engine.db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What became of the space that was freed."""

    given_back: int
    """Bytes by which the files are smaller."""
    kept: Literal["a worker executes here", "the file is in use", "the disk is full"] | None
    """Why the rest stays in the files, free for what is written next."""


async def plan(store: Store, older_than: float) -> Amount:
    """How much has ended longer ago than that, in seconds, and would go."""
    search = _search(older_than)
    found, after = Amount(), ""
    while roots := await store.read(
        prune.candidates, search.ended_before, after=after, limit=_ROOTS
    ):
        found += await store.read(prune.amount, roots, search)
        after = roots[-1]
    return found


async def delete(
    store: Store, older_than: float, tell: Callable[[Amount], None] = lambda _: None
) -> Amount:
    """Delete what has ended longer ago than that, in seconds; how much it was.

    Also what a run before this one was killed at. `tell` hears of it as it goes on.
    """
    search, turns = _search(older_than), _Turns(store)
    await store.read(search.refresh)
    before = await _used(store)
    gone, swept, after = Amount(), 0, ""
    await _sweep(turns)
    while roots := await store.read(
        prune.candidates, search.ended_before, after=after, limit=_ROOTS
    ):
        taken, done = await turns.write(prune.take, roots, search, at_most=_JOBS)
        failpoint.hit("prune.taken")
        gone, after = gone + taken, roots[done - 1]
        if gone.jobs >= swept + _JOBS:
            await _sweep(turns)
            swept = gone.jobs
        tell(gone)
    await _sweep(turns)
    await turns.write(prune.processes, search)
    while await turns.write(blobs.collect, search.now):
        failpoint.hit("prune.collected")
    return gone + Amount(bytes=max(0, before - await _used(store)))


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
    """The bytes in both files that are not free."""
    assert isinstance(store.place, Folder)
    of_engine = await asyncio.to_thread(engine.used, store.place)
    return await store.read(prune.used) + of_engine


def _search(older_than: float) -> Search:
    now = clock.now()
    return Search(ended_before=now - older_than, now=now)


async def _sweep(turns: _Turns) -> None:
    """Delete what is left of jobs, tasks and conversations that are gone."""
    store = turns.store
    while ids := await store.read(prune.left, _JOBS):
        # The engine's first: that of a job is found by its id alone, which goes last.
        jobs = [each for each in ids if each.startswith("j")]
        await asyncio.to_thread(engine.delete_records, store.place, jobs)
        failpoint.hit("prune.recorded")
        while ids:
            done = await turns.write(prune.sweep, ids, at_most=_ROWS)
            failpoint.hit("prune.swept")
            ids = ids[done:]


def give_back(store: Store) -> Space:
    """Give the free space of the files back to the disk, unless a worker executes here. Blocks."""
    assert isinstance(store.place, Folder)
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
