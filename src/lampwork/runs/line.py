"""The order in which calls of one run get in line for the same thing: that of the calls."""

from __future__ import annotations

import asyncio


class Lines:
    """Who is to get in line, by conversation and by topic of events, before any of them has.

    The engine begins calls that were made side by side in whatever order its threads do.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[int]] = {}
        self._moved = asyncio.Event()

    def join(self, line: str, call: int) -> None:
        """A call begins that will take a place."""
        self._waiting.setdefault(line, []).append(call)

    async def turn(self, line: str, call: int) -> None:
        """Wait until the calls that began before this one have taken their places."""
        while self._waiting.get(line, [call])[0] != call:
            self._moved.clear()
            await self._moved.wait()

    def leave(self, line: str, call: int) -> None:
        """A call has taken its place, or needs none."""
        waiting = self._waiting.get(line, [])
        if call in waiting:
            waiting.remove(call)
            self._moved.set()
        if not waiting:
            self._waiting.pop(line, None)
