"""Lanes: parts of one recipe that go on side by side, each making calls in an order of its own.

The calls of one lane follow each other; how those of different lanes come to stand in time differs
from run to run. So each lane has numbers of its own: its k-th call has the number
`first + index + k * width`, whatever the others do, and a replay finds each call under the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from lampwork.runs.flow import Flow

__all__ = ["Lane", "Slots", "side_by_side"]

T = TypeVar("T")


@dataclass(slots=True)
class Lane:
    """The numbers of one lane's calls."""

    next: int
    """The number of the call that it makes next."""
    width: int
    """How many lanes there are."""

    def take(self) -> int:
        """The number of a call that is made now."""
        number = self.next
        self.next += self.width
        return number


async def side_by_side(
    flow: Flow, lanes: Sequence[Callable[[], Coroutine[Any, Any, T]]]
) -> list[T]:
    """Let these go on side by side; what they return, in their order.

    Each may make job calls, and wait for another one with the flow `paused`. All end before the
    first error, by position, is raised. Raises RunEnded.
    """
    await flow.alive()
    first, width = flow.made + 1, len(lanes)
    branches: list[asyncio.Task[T]] = []
    for index, lane in enumerate(lanes):
        branch = asyncio.create_task(lane())
        flow.lanes[branch] = Lane(first + index, width)
        branches.append(branch)
    try:
        await flow.settled(branches)
    finally:
        for branch in branches:
            del flow.lanes[branch]
    return [branch.result() for branch in branches]


class Slots:
    """So many lanes go on at a time; the others stand in line. A lane that had begun is let in."""

    def __init__(self, flow: Flow, count: int) -> None:
        self._flow = flow
        self._free = count
        self._line: list[asyncio.Future[None]] = []

    async def enter(self, or_else: Callable[[], asyncio.Future[None]]) -> bool:
        """Whether it is this lane's turn; False if that comes first which `or_else` gives.

        Raises RunEnded.
        """
        if self._free > 0 or self._flow.on_record() is not None:
            self._free -= 1
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        other = or_else()
        try:
            with self._flow.paused():
                await asyncio.wait({turn, other}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            other.cancel()
            has_come = not turn.cancel()
        try:
            self._flow.check()
        except BaseException:
            if has_come:
                self.leave()
            raise
        return has_come

    def leave(self) -> None:
        """Let the next one in, if there is room for it."""
        waiting = [each for each in self._line if not each.done()]
        if waiting and self._free >= 0:
            waiting[0].set_result(None)
        else:
            self._free += 1
        self._line = waiting[1:] if waiting and waiting[0].done() else waiting
