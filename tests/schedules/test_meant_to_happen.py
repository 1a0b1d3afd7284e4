"""What is meant to happen to a job is in its row; cancels, wakes and parks meet at it."""

from __future__ import annotations

import pytest
from tests.support import NEVER, armed, eventually, idle, inside, once, opened, result, rows, status

from lampwork import Job, recovery
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
