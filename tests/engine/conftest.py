"""The engine alone, executing a function of the test's on the jobs' loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.behind import place_at
from tests.support import eventually

from lampwork.engine import Engine, EngineStatus
from lampwork.engine.loop import LoopThread

T = TypeVar("T")

Execute = Callable[[str], Awaitable[str]]


class Launched:
    """An engine at work. Its calls, and a test's events, belong on the jobs' loop."""

    def __init__(self, engine: Engine, loop: LoopThread) -> None:
        self.engine = engine
        self._loop = loop

    async def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await self._loop.call(coroutine)

    async def start(self, job_id: str) -> None:
        await self.call(self.engine.start(job_id))

    async def status(self, job_id: str) -> EngineStatus:
        return await self.call(self.engine.status(job_id))

    async def statuses(self, *job_ids: str) -> dict[str, EngineStatus]:
        found = await self.call(self.engine.standings(list(job_ids)))
        return {job_id: standing.status for job_id, standing in found.items()}

    async def comes_to(self, job_id: str, status: EngineStatus) -> None:
        async def there() -> bool:
            return await self.status(job_id) == status

        await eventually(there, f"{job_id} never came to {status}")

    async def reaches(self, event: asyncio.Event) -> None:
        await asyncio.wait_for(self.call(event.wait()), 60)

    def set(self, event: asyncio.Event) -> None:
        self._loop.call_soon(event.set)


Launch = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def launched(home: Path) -> Launch:
    """`async with launched(execute) as engine`: at the same place each time."""

    @asynccontextmanager
    async def launch(
        execute: Execute, *, executor_id: str = "one", reclaim: bool = False
    ) -> AsyncIterator[Launched]:
        place = place_at(home)
        engine = await asyncio.to_thread(Engine, place, version="1")
        if reclaim:
            await asyncio.to_thread(engine.reclaim)
        loop = LoopThread()

        async def begin() -> None:
            engine.launch(execute, executor_id=executor_id)

        await loop.call(begin())
        try:
            yield Launched(engine, loop)
        finally:
            await asyncio.to_thread(engine.close)
            await asyncio.to_thread(loop.close)

    return launch
