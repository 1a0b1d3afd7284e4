"""Who waits for a job hears how it ended, whenever it does."""

from __future__ import annotations

import asyncio

from tests.support import inside, opened, result, status

from lampwork import Job
from lampwork.store.jobs import jobs, requests
from lampwork.worker import recovery


async def test_a_key_that_leads_to_an_ended_job_leads_to_its_result(project, home):
    """The job has ended; the same key is accepted again, and must not count as a job that runs."""

    @project.recipe()
    async def quick(job: Job) -> str:
        return "done"

    async with opened(project, home) as app:
        first = (await app.start(quick, idempotency_key="order 7")).job_id
        assert await result(app, first) == "done"
        again = (await app.start(quick, idempotency_key="order 7")).job_id
        assert again == first
        assert await result(app, again) == "done"


async def test_a_job_that_a_sweep_ran_before_its_acceptance_was_told_gives_its_result(
    project, home, monkeypatch
):
    """It is on disk, a sweep starts it, and it ends, before the caller of `start` goes on."""

    @project.recipe()
    async def quick(job: Job) -> str:
        return "done"

    async with opened(project, home) as app:
        write = app.store.write

        async def answer_late(change, *args, **kwargs):
            written = await write(change, *args, **kwargs)
            if change is requests.accept:
                await inside(app, recovery.sweep(app.worker))
                await status(app, written, "succeeded")
            return written

        monkeypatch.setattr(app.store, "write", answer_late)
        job_id = (await app.start(quick)).job_id
        assert await result(app, job_id) == "done"


async def test_a_job_that_ends_between_the_look_and_the_wait_is_not_missed(
    project, home, monkeypatch
):
    """Whoever asks reads that it has not ended; it ends; nobody tells who waits from then on."""
    gate = asyncio.Event()

    async def hold() -> None:
        await gate.wait()

    @project.recipe()
    async def held(job: Job) -> str:
        await job.step(hold)
        return "done"

    async with opened(project, home) as app:
        job_id = (await app.start(held, idempotency_key="read it")).job_id
        read = app.store.read

        async def read_before_the_end(query, *args, **kwargs):
            found = await read(query, *args, **kwargs)
            if query is jobs.if_ended and not gate.is_set():
                await inside(app, _set(gate))
                await status(app, job_id, "succeeded")
            return found

        monkeypatch.setattr(app.store, "read", read_before_the_end)
        assert await result(app, job_id) == "done"


async def _set(event: asyncio.Event) -> None:
    event.set()
