"""How many jobs a process executes, and what becomes of those that find no room."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support import Gate, eventually, inside, once, opened, park, result, rows

from lampwork import App, Job
from lampwork.door import Door
from lampwork.engine import engine
from lampwork.store.jobs import jobs, queued


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
            rooms.append(asyncio.run_coroutine_threadsafe(turns(), app._loop.loop).result(60))
            return begin(*given)

        monkeypatch.setattr(jobs, "begin", begin_late)
        assert await result(app, (await app.start(hello)).job_id) == "hello"
        assert set(rooms) == {0}  # more than once, if the server took this process for frozen
        await eventually(lambda: app.worker.admission.room == 1, "it still counts")


async def test_a_job_counts_while_the_engine_has_no_thread_for_it(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*The engine had started it, and needed a thread before it ran it: others began meanwhile,
    and workers beside that one had nothing to do.*"""

    @project.recipe()
    async def hello(job: Job) -> str:
        return "hello"

    async with opened(project, home, max_live=1) as app:
        gate = holding_first(monkeypatch)
        jobs = [(await app.start(hello)).job_id]
        await handed_out(app, gate)
        jobs.append((await app.start(hello)).job_id)
        await inside(app, app.worker.admission.start_queued())
        await handed_out(app, gate)
        assert gate.passed == 1
        gate.open()
        assert [await result(app, each) for each in jobs] == ["hello", "hello"]


async def test_a_job_that_is_woken_counts_then_as_well(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async with opened(project, home, max_live=1) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        gate = holding_first(monkeypatch)
        await app.send_event(job_id, "go", "hello")
        await handed_out(app, gate)
        assert app.worker.admission.room == 0
        # To who looks for lost runs it is about to be there.
        assert not await inside(app, app.worker.waking.revive(job_id, lost=True))
        gate.open()
        assert await result(app, job_id) == "hello"


async def test_who_finds_no_room_while_others_are_looked_for_is_not_forgotten(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*It was not among those found: nobody waited, it was thought, and its room stayed empty.*"""
    ids: list[str] = []
    loop, to_start = asyncio.get_running_loop(), queued.to_start

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async with opened(project, home, max_live=1) as app:

        async def two_more() -> None:
            ids.extend([(await app.start(patient)).job_id for _ in range(2)])

        come = once(lambda: asyncio.run_coroutine_threadsafe(two_more(), loop).result(60))

        def find_late(*given: Any) -> list[queued.Queued]:
            found = to_start(*given)
            come()
            return found

        monkeypatch.setattr(queued, "to_start", find_late)
        await inside(app, app.worker.admission.start_queued())
        await eventually(lambda: len(ids) == 2, "nobody was looked for")
        for each in ids:
            await app.send_event(each, "go", "hello")
        assert [await result(app, each) for each in ids] == ["hello", "hello"]


async def test_what_others_start_while_there_is_no_room_begins_when_there_is(project, home):
    """*Who looked while all places were taken did not remember it: who left looked for nobody,
    and the job lay there until the next sweep.*"""
    gate = Gate()

    @project.recipe()
    async def work(job: Job) -> str:
        await job.step(gate.hold_first)
        return "done"

    async with opened(project, home, max_live=1) as app:
        first = (await app.start(work)).job_id
        await eventually(lambda: gate.passed)
        async with Door.opened(project, app.settings) as door:  # which executes nothing
            second = (await door.start(work)).job_id
        await inside(app, app.worker.admission.start_queued())
        assert gate.passed == 1
        gate.open()
        assert [await result(app, each) for each in (first, second)] == ["done", "done"]


def holding_first(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Between what the engine starts next, and its run, there is this gate."""
    gate, execute = Gate(), engine._execute

    async def execute_late(job_id: str) -> str:
        await gate.hold_first()
        assert execute is not None
        return await execute(job_id)

    monkeypatch.setattr(engine, "_execute", execute_late)
    return gate


async def handed_out(app: App, gate: Gate) -> None:
    """Wait until a job is at the gate, and nothing is under way beside it."""
    await eventually(lambda: gate.passed and not app.worker._background, "it never started")


@pytest.mark.server
async def test_what_finds_no_room_is_anybodys(project, home):
    """Whoever has room for it first takes charge of it; here that is nobody else."""
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    @project.recipe()
    async def work(job: Job) -> None:
        await job.step(wait)

    async with opened(project, home, max_live=1) as app:
        ids = [(await app.start(work)).job_id for _ in range(3)]

        async def left() -> bool:
            query = "select id from jobs where executor is null order by id"
            return [each for (each,) in await rows(app, query)] == ids[1:]

        await eventually(left, "they stayed in its charge")
        app._loop.call_soon(gate.set)
        for each in ids:
            await result(app, each)
