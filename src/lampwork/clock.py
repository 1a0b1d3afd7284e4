"""The clock of jobs: what time it is, and what is to be done when a time has come.

There is one for the process, as there is one project open in it. All that is written down bears its
time, and all that a job waits for comes due by it. The clocks of machines that share a database
differ, so there it is the database's (`follow`). A test puts its own in its place (`using`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

__all__ = [
    "Clock",
    "Timer",
    "bounded",
    "call_at",
    "follow",
    "may_jump",
    "now",
    "passed",
    "sleep",
    "unfollow",
    "using",
]


class Timer(Protocol):
    """Something that is to be done later."""

    def cancel(self) -> None:
        """It is not done."""
        ...


class Clock:
    """The machine's, or the one that it follows."""

    may_jump = True
    """Whether somebody may set it without a word, so that one had better look now and then."""

    _ahead: float | None = None
    """Seconds by which the clock that is followed is ahead of the machine's steady one."""

    def now(self) -> float:
        """Epoch seconds."""
        return time.time() if self._ahead is None else time.monotonic() + self._ahead

    def set_ahead(self, ahead: float | None) -> None:
        """Follow another clock, or none."""
        self._ahead = ahead

    def call_at(self, moment: float, callback: Callable[[], object]) -> Timer:
        """Call back on the running event loop when a moment has come."""
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, moment - self.now()), callback)

    async def sleep(self, seconds: float) -> None:
        """Rest, holding nothing but the place in the code."""
        await asyncio.sleep(seconds)


_clock = _machine = Clock()

_followed: dict[object, float] = {}
"""How far each database that is open here is ahead of the steady clock. The first one counts."""


def follow(database: object, ahead: float) -> None:
    """Go by a database's clock, which is that much ahead of `time.monotonic`, until `unfollow`.

    Between two times that this is measured the clock is steady, whatever is done to the machine's.
    """
    _followed[database] = ahead
    _machine.set_ahead(next(iter(_followed.values())))


def unfollow(database: object) -> None:
    """The database is closed."""
    _followed.pop(database, None)
    _machine.set_ahead(next(iter(_followed.values()), None))


def now() -> float:
    """Epoch seconds."""
    return _clock.now()


def passed() -> float:
    """Seconds, those in which the machine slept included, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def may_jump() -> bool:
    """Whether the clock may be set while somebody waits for its time."""
    return _clock.may_jump


def call_at(moment: float, callback: Callable[[], object]) -> Timer:
    """Call back on the running event loop when a moment has come."""
    return _clock.call_at(moment, callback)


async def sleep(seconds: float) -> None:
    """Rest before something is tried again."""
    await _clock.sleep(seconds)


@asynccontextmanager
async def bounded(moment: float) -> AsyncGenerator[asyncio.Timeout]:
    """What is done inside is cancelled at that moment, and TimeoutError raised."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer = call_at(moment, lambda: limit.reschedule(loop.time()))
        try:
            yield limit
        finally:
            timer.cancel()


@contextmanager
def using(clock: Clock) -> Generator[None]:
    """Let the process go by this clock."""
    global _clock
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before
