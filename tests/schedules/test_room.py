"""How many jobs a process executes, and what becomes of those that find no room."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support import NEVER, eventually, opened, result, rows

from lampwork import Job
from lampwork.store.jobs import jobs


async def test_a_job_counts_from_when_it_is_started_until_its_run_is_there(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*Between the engine's start and the run's begin it did not count: more began.*"""
    rooms: list[int] = []
    begin = jobs.begin

    @project.recipe()
    async def hello(job: Job) -> str:
        return "hello"

    async with opened(project, home, max_live=1) as app:

        async def turns() -> int:
            for _ in range(50):
                await asyncio.sleep(0)
            return app.worker.admission.room

        def begin_late(*given: Any) -> jobs.Begun:
            rooms.append(asyncio.run_coroutine_threadsafe(turns(), app._loop.loop).result(10))
            return begin(*given)

        monkeypatch.setattr(jobs, "begin", begin_late)
        assert await result(app, (await app.start(hello)).job_id) == "hello"
        assert rooms == [0]
        await eventually(lambda: app.worker.admission.room == 1, "it still counts")


@pytest.mark.server
async def test_what_finds_no_room_is_anybodys(project, home):
    """Whoever has room for it first takes charge of it; here that is nobody else."""
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    @project.recipe()
    async def work(job: Job) -> None:
        await job.step(wait)

    async with opened(project, home, max_live=1, heartbeat=NEVER) as app:
        ids = [(await app.start(work)).job_id for _ in range(3)]

        async def left() -> bool:
            query = "select id from jobs where executor is null order by id"
            return [each for (each,) in await rows(app, query)] == ids[1:]

        await eventually(left, "they stayed in its charge")
        app._loop.call_soon(gate.set)
        for each in ids:
            await result(app, each)
