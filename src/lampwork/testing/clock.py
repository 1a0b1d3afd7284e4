"""The clock of a test: it stands still, and moves when the test says so."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lampwork.clock import Clock, Timer
from lampwork.errors import InputInvalid

__all__ = ["FakeClock"]


@dataclass(slots=True, order=True)
class _Timer:
    at: float
    nth: int
    callback: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock(Clock):
    """What time it is for the jobs of a test: `await app.clock.advance(hours=3)`.

    It stands still until it is moved. Then all that comes due on the way happens at its time and in
    its order, and each thing has settled before the next one comes due.
    """

    may_jump = False

    def __init__(self, at: datetime | None = None) -> None:
        """`at` is the time at first, in UTC if it has no time zone; without it, now."""
        self._now = (datetime.now(UTC) if at is None else _aware(at)).timestamp()
        self._timers: list[_Timer] = []
        self._count = itertools.count()
        self._move: Callable[[Coroutine[Any, Any, None]], Awaitable[None]]
        self._settle: Callable[[], Coroutine[Any, Any, None]]
        self.resting = 0
        """How many rest before they try something again."""

    @property
    def time(self) -> datetime:
        """What time it is, in UTC."""
        return datetime.fromtimestamp(self._now, UTC)

    @property
    def next_at(self) -> float | None:
        """When the next thing comes due, in epoch seconds."""
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0].at if self._timers else None

    async def advance(
        self,
        by: timedelta = timedelta(),
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        while_executing: bool = False,
    ) -> None:
        """Let that much time pass, once everything that executes has ended or come to wait.

        When it returns, all that came due has happened, and has settled too. What executes for long
        is waited for; with `while_executing` nothing is, so that its deadline can pass.

        Raises InputInvalid for a time that goes back, StillExecuting.
        """
        span = by + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        await self._to(self._now + span.total_seconds(), while_executing)

    async def advance_to(self, moment: datetime, *, while_executing: bool = False) -> None:
        """Let time pass until a moment, as `advance` does; one without a time zone is in UTC."""
        await self._to(_aware(moment).timestamp(), while_executing)

    async def advance_to_next(self) -> bool:
        """Let time pass until the next thing comes due; False if nothing does."""
        await self._move(self._settle())
        if (due_at := self.next_at) is None:
            return False
        await self._to(due_at, while_executing=False)
        return True

    async def _to(self, moment: float, while_executing: bool) -> None:
        if moment < self._now:
            to = datetime.fromtimestamp(moment, UTC)
            raise InputInvalid(f"It is {self.time}, and the clock goes forward only, not to {to}.")
        await self._move(self._moving(moment, settle=not while_executing))

    async def _moving(self, moment: float, *, settle: bool) -> None:
        """On the jobs' event loop."""
        while True:
            if settle:
                await self._settle()
            if (due_at := self.next_at) is None or due_at > moment:
                break
            timer = heapq.heappop(self._timers)
            self._now = max(self._now, timer.at)
            timer.callback()
        self._now = moment

    # --- what the process asks it ---

    def bind(
        self,
        move: Callable[[Coroutine[Any, Any, None]], Awaitable[None]],
        settle: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Where it moves, and how it waits until what came due has settled."""
        self._move, self._settle = move, settle

    def now(self) -> float:
        """Epoch seconds."""
        return self._now

    def call_at(self, moment: float, callback: Callable[[], object]) -> Timer:
        """Call back when the clock has been moved there."""
        if moment <= self._now:
            return asyncio.get_running_loop().call_soon(callback)
        timer = _Timer(moment, next(self._count), callback)
        heapq.heappush(self._timers, timer)
        return timer

    async def sleep(self, seconds: float) -> None:
        """Rest until the clock has been moved as far."""
        over = asyncio.Event()

        def end() -> None:
            self.resting -= 1  # here: who was woken does not rest, though it has not gone on yet
            over.set()

        self.resting += 1
        timer = self.call_at(self._now + seconds, end)
        try:
            await over.wait()
        finally:
            timer.cancel()
            if not over.is_set():
                self.resting -= 1


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
