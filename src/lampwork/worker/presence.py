"""That this process executes, as others see it, and that others do, as this one sees them.

On a server an executor beats every few seconds: it counts up a number in its row, and it does so
from the jobs' event loop, through the writer, so that it beats only while both of them move. Who
has seen a number unchanged for so long, by its own clock, that the last beat is up to three
intervals ago, finds its executor gone, whatever the clocks of the two machines say. The executor
itself acts no more after two. Each may have an interval of its own.

One that was killed is found gone sooner, by the session that it had there (`session.py`). So who
loses its session says at once that it goes on without, and acts no more unless that gets through.

In a folder one process executes, by a lock: it is alive while it runs, and all others are gone.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from lampwork import clock
from lampwork.errors import StoreUnavailable
from lampwork.store.processes import executors
from lampwork.store.processes.executors import NewExecutor
from lampwork.store.processes.session import GONE_AFTER, Held
from lampwork.store.store import Store
from lampwork.threads import call_soon

_log = logging.getLogger("lampwork.worker")

_GONE_AFTER = 2.5
"""Intervals over which looks have found a number unchanged: then its executor is gone.

With half an interval between two looks, the last beat is up to three ago."""

_HOLDS_FOR = 2
"""Intervals after a beat for which one may act: less than it takes others to find one gone."""

_HOLDS_WITHOUT = GONE_AFTER / 2
"""Seconds for which one may act without the session that its row says it has."""


class Presence:
    """That this process executes."""

    def __init__(
        self, store: Store, project: str, version: str, *, limited: bool, interval: float
    ) -> None:
        """`interval` is that of its heartbeats, in seconds; without any, nobody else executes."""
        self._store = store
        self._new = NewExecutor(
            id=uuid.uuid4().hex,
            project=project,
            version=version,
            limited=limited,
            interval=interval,
        )
        self._holds_until = 0.0
        self._shown: Held | None = None
        """The session that its row may say it has: without, others can't miss any."""
        self._session_changed = asyncio.Event()
        self._seen: dict[str, tuple[int, int]] = {}
        """Of each other executor, the number that was seen, and how often it was the same."""

    @property
    def id(self) -> str:
        """The executor's id; another one after it was found gone."""
        return self._new.id

    @property
    def beats(self) -> bool:
        """Whether others have to be told that it is alive."""
        return self._new.interval > 0

    @property
    def holds(self) -> bool:
        """Whether it may act: nobody can have found it gone."""
        return not self.beats or clock.passed() < self._until

    @property
    def _until(self) -> float:
        session = self._store.session
        if self._shown is None or self._shown is session.held:
            return self._holds_until
        return min(self._holds_until, session.lost_at + _HOLDS_WITHOUT)

    async def begin(self) -> list[str]:
        """Say that this process executes; the executors that are gone, if that is known at once."""
        began = clock.passed()
        await self._store.write(executors.start, self._new)
        self._holds_until = began + _HOLDS_FOR * self._new.interval
        self._shown = None
        if self.beats:
            loop = asyncio.get_running_loop()
            self._store.session.keep(self.id, lambda: self._hear_of_session(loop))
            return []
        others = await self._store.read(executors.others, self.id)
        return await self._store.write(executors.bury, {each: of[0] for each, of in others.items()})

    async def begin_anew(self) -> None:
        """Execute under another id, after others have found this one gone."""
        self._new = replace(self._new, id=uuid.uuid4().hex)
        await self.begin()

    async def end(self) -> None:
        """Say that this process executes no more, and has ended all its runs by itself."""
        await self._store.write(executors.close, self.id)

    async def keep_beating(
        self,
        on_gone: Callable[[Sequence[str]], Awaitable[None]],
        on_lost: Callable[[], Awaitable[None]],
        on_heard: Callable[[], Awaitable[None]],
    ) -> None:
        """Beat, and look who else does; at once when a session has changed.

        Tells who was found gone, when one was found so, and when one is heard again in time.
        """
        looks = itertools.count()
        look_at = self._next_look()
        while self.beats:
            is_time = await self._rest(look_at)
            try:
                # To beat with every other look is often enough.
                if not is_time or next(looks) % 2:
                    until = self._until
                    if not await self._beat():
                        await on_lost()
                    elif until <= clock.passed():
                        await on_heard()
                if gone := await (self._find_gone() if is_time else self._find_absent()):
                    await on_gone(gone)
            except StoreUnavailable as error:
                _warn_of_silence(error)
            if is_time:
                look_at = self._next_look()

    async def keep_alive(self) -> None:
        """Beat alone, while this process ends and what executes has its grace.

        Else others would find it gone meanwhile, and do at once what it is about to have done.
        """
        while self.beats:
            try:
                if not await self._beat():
                    return
            except StoreUnavailable as error:
                _warn_of_silence(error)
            await asyncio.sleep(self._new.interval)

    def _next_look(self) -> float:
        return asyncio.get_running_loop().time() + self._new.interval / 2

    async def _rest(self, look_at: float) -> bool:
        """Whether it is time to look; False if a session has changed before."""
        try:
            async with asyncio.timeout_at(look_at):
                await self._session_changed.wait()
        except TimeoutError:
            return True
        self._session_changed.clear()
        return False

    def _hear_of_session(self, loop: asyncio.AbstractEventLoop) -> None:
        call_soon(loop, self._session_changed.set)

    async def _beat(self) -> bool:
        began, held = clock.passed(), self._store.session.held
        if held is not None and held.executor != self.id:
            held = None
        if self._shown is None:
            self._shown = held  # from now on: its commit may get through, and the answer not
        if not await self._store.write(executors.beat, self.id, held and held.server):
            return False
        self._holds_until, self._shown = began + _HOLDS_FOR * self._new.interval, held
        return True

    async def _find_absent(self) -> list[str]:
        absent = self._store.session.absent
        return await self._store.write(executors.bury_absent, absent) if absent else []

    async def _find_gone(self) -> list[str]:
        others = await self._store.read(executors.others, self.id)
        self._seen = {each: self._count(each, beats) for each, (beats, _) in others.items()}
        gone = {
            each: beats
            for each, (beats, interval) in others.items()
            # In its own intervals, or in ours, should it beat more often than we look.
            if self._seen[each][1] / 2 * self._new.interval
            >= _GONE_AFTER * max(interval, self._new.interval)
        }
        return await self._store.write(executors.bury, gone) if gone else []

    def _count(self, executor_id: str, beats: int) -> tuple[int, int]:
        before, same = self._seen.get(executor_id, (beats, -1))
        return beats, same + 1 if before == beats else 0


def _warn_of_silence(error: StoreUnavailable) -> None:
    facts = {"event": "worker.beat_failed"}
    _log.warning("can't say that this process is alive: %s", error, extra=facts)
