"""What is meant to happen to a job is in its row; cancels, wakes and parks meet at it."""

from __future__ import annotations

import asyncio

import pytest
from tests.support import (
    NEVER,
    armed,
    eventually,
    idle,
    inside,
    once,
    opened,
    result,
    row,
    rows,
    status,
)

from lampwork import App, Job, recovery
from lampwork.errors import WaitNotFound
from lampwork.store import inbox, jobs
from lampwork.types import wait_id


async def test_an_answer_that_comes_while_its_job_is_parked_wakes_it(project, home):
    """Answer while parking: the row says `parked`, the answer comes, the run is dropped."""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        run = await idle(app, job_id)

        def answer() -> None:
            topic = f"{job_id}:go"
            sent = app.store.submit(inbox.send, job_id, topic, "hello", "api")
            app.worker.deliver(sent.result())

        with armed("park.committed", once(answer)):
            await inside(app, app.worker.park(run))
        assert await result(app, job_id) == "hello"


async def test_a_child_that_is_accepted_after_its_parent_was_cancelled_never_runs(project, home):
    """The cancel takes the tree as it is; the parent's run, which has not heard, adds a child."""

    @project.recipe()
    async def child(job: Job) -> None:
        await job.sleep(NEVER)

    @project.recipe()
    async def parent(job: Job) -> None:
        await job.call(child)

    async with opened(project, home) as app:

        def cancel() -> None:
            (job_id,) = app.worker.runs
            app._cancelled(app.store.submit(jobs.want_cancelled, job_id).result())

        with armed("call.before", once(cancel)):
            job_id = (await app.start(parent)).job_id
            await status(app, job_id, "cancelled")
        assert await rows(app, "select id, status from jobs") == [(job_id, "cancelled")]


async def test_a_person_can_answer_only_what_asks_a_person(project, home):
    """A resolution sent to a timer would end it; sent to a child's wait, it would fail the child
    that runs on."""

    @project.recipe()
    async def sleeper(job: Job) -> None:
        await job.sleep(NEVER)

    async with opened(project, home) as app:
        job_id = (await app.start(sleeper)).job_id
        await idle(app, job_id)
        with pytest.raises(WaitNotFound, match="waits for its time"):
            await app.resolve(wait_id(job_id, 1), "happened", by="eve")


async def test_a_timer_goes_off_although_the_database_was_away_when_it_was_due(
    project, home, monkeypatch
):
    """The clock strikes once; the change that tells the waits is refused; nobody looks again."""

    @project.recipe()
    async def sleeper(job: Job) -> str:
        await job.sleep(0.05)
        return "slept"

    expire, refused = inbox.expire, []

    def away_at_first(connection, now):
        due = connection.exec_driver_sql("select 1 from waits where not answered").first()
        if due and not refused:
            refused.append(now)
            connection.exec_driver_sql("select no such column")  # an OperationalError
        return expire(connection, now)

    monkeypatch.setattr(inbox, "expire", away_at_first)
    async with opened(project, home) as app:
        job_id = (await app.start(sleeper)).job_id
        await eventually(lambda: refused)
        await eventually(lambda: app.worker._clock_at is None)
        await inside(app, recovery.sweep(app.worker))
        assert await result(app, job_id) == "slept"


async def test_a_job_cancelled_while_it_is_being_started_is_taken_back_from_the_engine(
    project, home, monkeypatch
):
    """The cancel finds nothing in the engine; then the start puts the job there, PENDING."""

    @project.recipe()
    async def patient(job: Job) -> None:
        await job.sleep(NEVER)

    async with opened(project, home) as app:
        engine, held = app.worker.engine, asyncio.Event()
        start = engine.start

        async def start_late(job_id: str) -> None:
            await held.wait()
            await start(job_id)

        monkeypatch.setattr(engine, "start", start_late)
        job_id = (await app.start(patient)).job_id
        await app.cancel(job_id)
        await status(app, job_id, "cancelled")
        await inside(app, _set(held))
        await eventually(lambda: _engine_status(app, job_id, "cancelled"))


async def test_an_answer_whose_delivery_was_lost_reaches_its_job_when_it_would_be_parked(
    project, home
):
    """It is in the inbox, so the job can't be parked; and nobody brings it to the run."""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        run = await idle(app, job_id)
        await app.store.write(inbox.send, job_id, f"{job_id}:go", "hello", "api")
        await inside(app, app.worker.park(run))
        assert await result(app, job_id) == "hello"


async def test_a_job_that_is_being_cancelled_is_not_kept_for_a_person(project, home):
    """The user's cancel is on disk; then the run finds that the code has changed."""

    @project.recipe()
    async def patient(job: Job) -> None:
        await job.sleep(NEVER)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await idle(app, job_id)
        await app.store.write(jobs.want_cancelled, job_id)
        await app.store.write(jobs.need_attention, job_id, "its code has changed")
        assert (await row(app, job_id)).want == "cancelled"


async def test_a_late_mark_of_a_branch_does_not_hide_that_its_job_needs_a_person(project, home):
    """One branch stops the job for attention while another gets its answer and says `running`."""

    @project.recipe()
    async def patient(job: Job) -> None:
        await job.sleep(NEVER)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await idle(app, job_id)
        await app.store.write(jobs.need_attention, job_id, "its code has changed")
        await app.store.write(jobs.mark, job_id, "running")
        assert (await row(app, job_id)).status == "needs_attention"


async def _set(event: asyncio.Event) -> None:
    event.set()


async def _engine_status(app: App, job_id: str, expected: str) -> bool:
    return await inside(app, app.worker.engine.status(job_id)) == expected
