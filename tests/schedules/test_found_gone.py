"""A process that others took for gone, and that is there: it ends its runs and begins anew."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support import DEADLINE, NEVER, eventually, idle, inside, opened, park, result, rows, sql

from lampwork import App, Job, app
from lampwork.errors import StoreUnavailable
from lampwork.store.processes import executors
from lampwork.worker import presence as presences
from lampwork.worker import recovery
from lampwork.worker.presence import Presence

pytestmark = pytest.mark.server


async def buried(here: App) -> None:
    """Let others find it gone, once its row names its session: until then it has yet to beat."""
    executor = here.worker.presence.id

    async def named() -> bool:
        return await rows(here, "select id from executors where session is not null") != []

    def bury(connection: sa.Connection) -> list[str]:
        beats, _interval = executors.others(connection, "nobody")[executor]
        return executors.bury(connection, {executor: beats})

    await eventually(named, "its row never named its session")
    assert await here.store.write(bury) == [executor]


async def test_one_that_cannot_launch_its_engine_tries_again_until_it_can(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*The server went away in between: the process was alive, as others saw it, and executed
    nothing any more.*"""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    monkeypatch.setattr(app, "_BEGIN_AGAIN", 0.01)
    async with opened(project, home) as here:
        job_id = (await here.start(patient)).job_id
        run = await idle(here, job_id)
        engine, launch = here.worker.engine, here.worker.engine.launch

        def is_away(*_: Any, **__: Any) -> None:
            monkeypatch.setattr(engine, "launch", launch)
            raise StoreUnavailable("The server has gone away.")

        monkeypatch.setattr(engine, "launch", is_away)
        await buried(here)
        await inside(here, here._found_gone())
        assert run.ended == "deposed"
        await here.send_event(job_id, "go", "hello")
        assert await result(here, job_id) == "hello"
        alive = await rows(here, "select id from executors where closed_at is null")
        assert (here.worker.presence.id,) in alive


async def test_what_its_engine_is_handed_out_first_is_run(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*DBOS was launched a second time, and went on with the pool of its first life until it was
    asked for something: what it had claimed by then was never run.*"""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async def asks_nothing(*_: Any) -> None: ...

    async with opened(project, home) as here:
        job_id = (await here.start(patient)).job_id
        await park(here, job_id)
        await sql(here, "update jobs set want = 'run'")
        queued = "update dbos.workflow_status set status = 'ENQUEUED', queue_name = 'lampwork'"
        launch = here.worker.engine.launch

        def launch_with_work(*words: Any, **more: Any) -> None:
            here.store.submit(lambda each: each.execute(sa.text(queued)) and None).result()
            launch(*words, **more)

        monkeypatch.setattr(here.worker.engine, "launch", launch_with_work)
        monkeypatch.setattr(recovery, "sweep", asks_nothing)
        await buried(here)
        await inside(here, here._found_gone())
        await eventually(lambda: job_id in here.worker.runs, "it was claimed, and is not run")
        await here.send_event(job_id, "go", "hello")
        assert await result(here, job_id) == "hello"


async def test_one_that_is_told_to_end_while_it_begins_anew_begins_nothing_more(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*What was under way was cancelled, and said on its way out that all goes on again: of a
    process that had ended all.*"""
    begins = threading.Event()

    async def begin_anew() -> None:
        begins.set()
        await asyncio.Event().wait()

    async with opened(project, home) as here:
        presence = here.worker.presence
        monkeypatch.setattr(presence, "begin_anew", begin_anew)
        await buried(here)
        here._loop.call_soon(presence._session_changed.set)  # so it beats, and hears of that
        await eventually(begins.is_set, "it does not begin anew")
        await asyncio.to_thread(here.close)
        assert here.worker.closing


async def test_one_that_is_told_to_end_is_alive_while_what_executes_has_its_grace(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*It said nothing more from SIGTERM on. The grace is longer than others wait for a heartbeat:
    they did beside it what it was about to have done.*"""
    at_work, go = threading.Event(), threading.Event()
    monkeypatch.setattr(presences, "_HOLDS_FOR", NEVER)  # however slow the machine is

    def work() -> None:
        at_work.set()
        assert go.wait(DEADLINE)

    @project.recipe()
    async def working(job: Job) -> None:
        await job.step(work)

    async with opened(project, home, heartbeat=1.0, grace=DEADLINE) as here:
        await here.start(working)
        await eventually(at_work.is_set, "the step has begun")
        closing = asyncio.create_task(asyncio.to_thread(here.close))
        try:
            await eventually(lambda: here.worker.closing, "it is told to end")
            [(before,)] = await rows(here, "select beats from executors")

            async def beats() -> bool:
                return await rows(here, "select beats from executors") >= [(before + 2,)]

            await eventually(beats, "it beats")
        finally:
            go.set()
            await closing


async def test_one_whose_heartbeats_do_not_get_through_begins_nothing_until_they_do(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*On a machine with far too much to do its runs were over as soon as they had begun, a hundred
    times each, and that was most of what it had to do.*"""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async with opened(project, home) as here:
        job_id = (await here.start(patient)).job_id
        await park(here, job_id)
        await sql(here, "update jobs set want = 'run'")
        with monkeypatch.context() as unheard:
            unheard.setattr(Presence, "holds", property(lambda _: False))
            await inside(here, recovery.sweep(here.worker))
            assert [run for (run,) in await rows(here, "select run from jobs")] == [1]
            assert not await inside(here, here.worker.waking.revive(job_id, lost=True))
        await inside(here, recovery.sweep(here.worker))
        await here.send_event(job_id, "go", "hello")
        assert await result(here, job_id) == "hello"
