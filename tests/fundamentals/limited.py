"""What the pages about limits share: who works at once, and who has a place."""

from __future__ import annotations

import asyncio

from lampwork import App
from lampwork.insights import Insights
from lampwork.views import WaitingOn

from ..support import row, rows


class Turnstile(asyncio.Semaphore):
    """A gate that lets one through at a time, whenever it is released."""

    async def wait(self) -> None:
        await self.acquire()


class Counter:
    """Who works at once, and the most that ever did."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.order: list[str] = []
        self.gate: asyncio.Event | Turnstile | None = None

    async def work(self, name: str) -> None:
        self.order.append(name)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.gate is not None:
                await self.gate.wait()
            else:
                await asyncio.sleep(0)
        finally:
            self.now -= 1


async def parked(app: App, job_id: str) -> bool:
    return (await row(app, job_id)).want == "parked"


async def waits(app: App, job_id: str) -> tuple[WaitingOn, ...]:
    return (await Insights(app.store).view(job_id)).waiting_on


def open_gate(app: App, counter: Counter) -> None:
    """Let those go on whom the counter holds."""
    assert isinstance(counter.gate, asyncio.Event)
    app._loop.call_soon(counter.gate.set)


async def in_line(app: App, count: int) -> bool:
    return await rows(app, "select count(*) from places where wait_id is not null") == [(count,)]


async def nobody_has_a_place(app: App) -> bool:
    return await rows(app, "select holder from places") == []
