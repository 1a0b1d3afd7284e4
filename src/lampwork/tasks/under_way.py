"""Model calls under way, and the tasks that wait for what these have reserved and will not use."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lampwork.store.spending.budgets import Chain

if TYPE_CHECKING:
    from lampwork.runs.deadline import Deadline


class CallsUnderWay:
    """The reserved model calls of this process.

    A reservation is as large as a call can get, and most calls come to a part of it. So a call that
    fits but for the reservations of others waits until these are settled. Whoever waits has
    reserved nothing, and calls end, so nobody waits for ever. Used on the jobs' event loop only.
    """

    def __init__(self) -> None:
        self.ended = 0
        """How many have."""
        self._calls: dict[str, Chain] = {}
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._lines: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def begin(self, task: str, chain: Chain) -> None:
        """A task's call is reserved in these budgets."""
        self._calls[task] = chain

    def end(self, task: str) -> None:
        """A task's call is settled, or its run is over; nothing happens if it has none."""
        if (chain := self._calls.pop(task, None)) is None:
            return
        self.ended += 1
        for budget, future in self._waiting:
            if budget in chain and not future.done():
                future.set_result(None)

    @asynccontextmanager
    async def in_line(self, budget: str, until: Deadline) -> AsyncGenerator[None]:
        """One after the other, in the order in which they came, those whom a budget refused.

        Raises OutOfTime before its turn.
        """
        line = self._lines.get(budget)
        if line is None:
            line = self._lines[budget] = asyncio.Lock()
        async with until.bounding():
            await line.acquire()
        try:
            yield
        finally:
            line.release()

    async def one_ends(self, budget: str, until: Deadline, *, since: int) -> bool:
        """Wait until a call that a budget counts has ended; False if none is under way.

        `since` is how many had ended when there was no room. Raises OutOfTime.
        """
        if self.ended != since:
            return True
        if not any(budget in chain for chain in self._calls.values()):
            return False
        waiting = budget, asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with until.bounding():
                await waiting[1]
        finally:
            self._waiting.remove(waiting)
        return True
