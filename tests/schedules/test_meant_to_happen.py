"""What is meant to happen to a job is in its row; cancels, wakes and parks meet at it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import sqlalchemy as sa
from tests.behind import place_at, tables
from tests.support import (
    DEADLINE,
    NEVER,
    armed,
    eventually,
    idle,
    inside,
    once,
    opened,
    park,
    result,
    row,
    rows,
    status,
)

from lampwork import App, Job
from lampwork.errors import WaitNotFound
from lampwork.store.jobs import cancelled, inbox, jobs, wanted
from lampwork.types import wait_id
from lampwork.worker import execution, recovery


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
            await inside(app, app.worker.parking.park(run))
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
            app._cancelled(app.store.submit(cancelled.want_cancelled, job_id).result())

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
        await eventually(lambda: app.worker.expiry._at is None)
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

        async def start_late(job_id: str) -> bool:
            await held.wait()
            return await start(job_id)

        monkeypatch.setattr(engine, "start", start_late)
        job_id = (await app.start(patient)).job_id
        await app.cancel(job_id)
        await status(app, job_id, "cancelled")
        await inside(app, _set(held))
        await eventually(lambda: _engine_status(app, job_id, "cancelled"))


async def test_a_job_cancelled_while_its_next_run_begins_does_nothing_more(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*The run was proving that it owns the job, and not to be found yet: the job was cancelled,
    and then it went on.*"""
    done: list[str] = []
    beginning: list[asyncio.Task[Any]] = []
    prove, may_go_on = execution.prove_ownership, asyncio.Event()

    @project.recipe()
    async def patient(job: Job) -> None:
        await job.step(done.append, await job.wait_for("go", str))

    async def prove_late() -> None:
        await prove()
        beginning.append(asyncio.current_task())
        await may_go_on.wait()

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        monkeypatch.setattr(execution, "prove_ownership", prove_late)
        await app.send_event(job_id, "go", "hello")
        await eventually(lambda: beginning, "it was not woken")
        await app.cancel(job_id)
        await status(app, job_id, "cancelled")
        await inside(app, _set(may_go_on))
        await eventually(lambda: beginning[0].done(), "the run did not end")
    assert done == []


@pytest.mark.parametrize("whose", ["this worker", "one that is gone"])
async def test_a_job_that_was_cancelled_as_the_engine_got_it_is_not_left_there(
    project, home, monkeypatch: pytest.MonkeyPatch, whose: str
):
    """*A worker was frozen as it handed a job to the engine, and others cancelled the job. It was
    killed as it went on, before it had taken the job back*; or the database was away right then."""

    @project.recipe()
    async def patient(job: Job) -> None:
        await job.sleep(NEVER)

    async with opened(project, home) as app:
        engine, execution = app.worker.engine, app.worker.execution
        start, may_start, over = engine.start, asyncio.Event(), asyncio.Event()

        async def start_late(job_id: str) -> bool:
            await may_start.wait()
            return await start(job_id)

        async def be_killed(_job_id: str) -> None:
            over.set()

        monkeypatch.setattr(engine, "start", start_late)
        job_id = (await app.start(patient)).job_id
        await app.cancel(job_id)
        await status(app, job_id, "cancelled")
        with monkeypatch.context() as killed:
            killed.setattr(execution, "let_go", be_killed)
            await inside(app, _set(may_start))
            await inside(app, over.wait())
        if whose != "this worker":
            with tables(place_at(home), "dbos") as connection:
                connection.execute(sa.text("update workflow_status set executor_id = 'gone'"))
        assert await _engine_status(app, job_id, "pending")

        await inside(app, recovery.sweep(app.worker))
        await eventually(lambda: _engine_status(app, job_id, "cancelled"))


async def test_a_sweep_waits_for_no_function_of_a_users(project, home):
    """They may have taken all threads there are for them, for as long as they like."""
    go = threading.Event()
    async with opened(project, home) as app:
        calls = [app._loop.submit(asyncio.to_thread(go.wait, NEVER)) for _ in range(65)]
        try:
            async with asyncio.timeout(DEADLINE):
                await inside(app, recovery.sweep(app.worker))
        finally:
            go.set()
            await asyncio.gather(*map(asyncio.wrap_future, calls))


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
        await inside(app, app.worker.parking.park(run))
        assert await result(app, job_id) == "hello"


async def test_a_job_that_is_being_cancelled_is_not_kept_for_a_person(project, home):
    """The user's cancel is on disk; then the run finds that the code has changed."""

    @project.recipe()
    async def patient(job: Job) -> None:
        await job.sleep(NEVER)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await idle(app, job_id)
        await app.store.write(cancelled.want_cancelled, job_id)
        await app.store.write(wanted.need_attention, job_id, "its code has changed")
        assert (await row(app, job_id)).want == "cancelled"


async def test_a_late_mark_of_a_branch_does_not_hide_that_its_job_needs_a_person(project, home):
    """One branch stops the job for attention while another gets its answer and says `running`."""

    @project.recipe()
    async def patient(job: Job) -> None:
        await job.sleep(NEVER)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await idle(app, job_id)
        await app.store.write(wanted.need_attention, job_id, "its code has changed")
        await app.store.write(jobs.mark, job_id, "running")
        assert (await row(app, job_id)).status == "needs_attention"


async def test_two_wake_ups_at_once_make_one_run(project, home):
    """*Two wake-ups at once*: "Duplicate wakes ran three copies of one step side by side." Here
    five, with a sweep among them."""
    begun: list[str] = []

    @project.recipe()
    async def patient(job: Job) -> str:
        await job.wait_for("go")
        return await job.step(work)

    async def work() -> str:
        begun.append("work")
        return "done"

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        runs: list[str] = []
        with armed("job.begun", lambda: runs.append("run")):
            await app.store.write(inbox.send, job_id, f"{job_id}:go", None, "api")
            wakes = [app.worker.waking.wake(job_id) for _ in range(4)]
            await inside(app, _together(*wakes, recovery.sweep(app.worker)))
            assert await result(app, job_id) == "done"
        assert runs == ["run"]
        assert begun == ["work"]


async def test_a_job_that_is_cancelled_between_a_list_and_its_wake_does_not_run(project, home):
    """ "A user cancels between the reaper's list and its resume: the cancelled job runs." """
    begun: list[str] = []

    @project.recipe()
    async def patient(job: Job) -> None:
        await job.wait_for("go")
        await job.step(begun.append, "work")

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        await app.store.write(inbox.send, job_id, f"{job_id}:go", None, "api")
        listed = await app.store.read(inbox.movable_jobs, app.worker.share)
        await app.cancel(job_id)
        await inside(app, _together(*map(app.worker.waking.wake, listed)))
        await status(app, job_id, "cancelled")
        waking = app.worker.waking
        await inside(app, _together(waking.wake(job_id), waking.revive(job_id)))
        assert begun == []
        assert await _engine_status(app, job_id, "cancelled")


async def test_a_cancel_that_comes_after_the_wake_was_written_finds_nothing_running(project, home):
    """The waker has written `run`; the cancel comes before it tells the engine. Whoever begins
    first reads what is meant to happen."""
    begun: list[str] = []

    @project.recipe()
    async def patient(job: Job) -> None:
        await job.wait_for("go")
        await job.step(begun.append, "work")

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)

        def cancel() -> None:
            app._cancelled(app.store.submit(cancelled.want_cancelled, job_id).result())

        with armed("wake.committed", once(cancel)):
            await app.send_event(job_id, "go")
            await status(app, job_id, "cancelled")
        await eventually(lambda: _engine_status(app, job_id, "cancelled"))
        assert begun == []


async def test_a_parked_row_whose_engine_was_cancelled_late_is_woken_by_the_sweep(project, home):
    """ "The parker commits, a waker resumes, the parker's cancel lands last: row running, DBOS
    CANCELLED, nobody looks." run + CANCELLED → wake."""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        await app.store.write(wanted.unpark, job_id, app.worker.share)
        await inside(app, recovery.sweep(app.worker))
        await idle(app, job_id)
        await app.send_event(job_id, "go", "hello")
        assert await result(app, job_id) == "hello"


async def test_a_job_that_was_killed_between_its_acceptance_and_its_start_is_started(project, home):
    """*Killed between acceptance and start*: run + no workflow → start, by the next process."""

    @project.recipe()
    async def quick(job: Job) -> str:
        return "done"

    async with opened(project, home) as app:
        app.worker.closing = True  # nothing starts any more
        job_id = (await app.start(quick)).job_id
        assert (await row(app, job_id)).status == "queued"
    async with opened(project, home) as app:
        assert await result(app, job_id) == "done"


@pytest.mark.parametrize("at", ["job.before_outcome", "job.before_publish"])
async def test_an_outcome_that_nobody_published_is_published(project, home, at):
    """DBOS ended + row open → publish, without doing anything of the job again. Before the engine
    has it on record, the recipe runs again, its steps do not."""
    begun: list[str] = []

    @project.recipe()
    async def worker(job: Job) -> str:
        await job.step(begun.append, "work")
        return "done"

    def fail() -> None:
        raise RuntimeError("a bug of ours")

    async with opened(project, home) as app:
        with armed(at, once(fail)):
            job_id = (await app.start(worker)).job_id
            assert await result(app, job_id) == "done"
        assert begun == ["work"]


async def test_a_job_that_the_engine_gave_up_is_taken_up_again(project, home):
    """ "An infrastructure error is no outcome either." The engine's row says ERROR, with an error
    that is none of the job's; our row says run; the sweep must not pass it by for ever."""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
    with tables(place_at(home), "dbos") as connection:
        given_up = "update workflow_status set status = 'ERROR' where workflow_uuid = :id"
        connection.execute(sa.text(given_up), {"id": job_id})
    async with opened(project, home) as app:
        await app.send_event(job_id, "go", "hello")
        await inside(app, recovery.sweep(app.worker))
        assert await result(app, job_id) == "hello"


async def test_a_run_that_stands_in_the_engine_without_a_coroutine_is_taken_back(
    project, home, monkeypatch
):
    """ "Each worker compares PENDING rows under its own id with its live runs; one that is missing
    twice is woken": a claim whose commit answer was lost, never dispatched."""
    monkeypatch.setattr(recovery, "_LOST_AFTER", 0.0)

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        run = await idle(app, job_id)

        async def lose() -> None:
            run.end("closing")
            del app.worker.runs[job_id]

        await inside(app, lose())
        await eventually(lambda: run.main.done())
        await inside(app, recovery.sweep(app.worker))
        await inside(app, recovery.sweep(app.worker))
        await app.send_event(job_id, "go", "hello")
        assert await result(app, job_id) == "hello"


async def _together(*work) -> None:
    await asyncio.gather(*work)


async def _set(event: asyncio.Event) -> None:
    event.set()


async def _engine_status(app: App, job_id: str, expected: str) -> bool:
    return await inside(app, app.worker.engine.status(job_id)) == expected
