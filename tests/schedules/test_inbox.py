"""What others send: kept, taken once and in order, however often its job dies or is parked."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from tests.behind import place_at
from tests.support import (
    NEVER,
    armed,
    away,
    dying,
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
    take_over,
)

from lampwork import App, Job
from lampwork.errors import StoreUnavailable, WaitTimedOut
from lampwork.store.jobs import inbox
from lampwork.store.store import Store
from lampwork.types import wait_id
from lampwork.worker import recovery

started: list[int] = []


@pytest.fixture(autouse=True)
def _nothing_started() -> None:
    started.clear()


@asynccontextmanager
async def another_process(home):
    """The database as another process has it open."""
    store = await asyncio.to_thread(Store, place_at(home))
    try:
        yield store
    finally:
        await asyncio.to_thread(store.close)


@pytest.fixture
def patient(project):
    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    return patient


async def test_a_crash_between_taking_a_message_and_recording_it_takes_no_second_one(project, home):
    """ "A crash between taking message k and recording the step: the re-run takes k+1." """

    @project.recipe()
    async def reader(job: Job) -> list[str]:
        return [await job.wait_for("line", str) for _ in range(3)]

    async with opened(project, home) as app:
        job_id = (await app.start(reader)).job_id
        await idle(app, job_id)
        runs: list[str] = []
        with (
            armed("wait.answered", once(dying(app))),
            armed("job.begun", lambda: runs.append("again")),
        ):
            for line in ("one", "two", "three"):
                await app.send_event(job_id, "line", line)
            assert await result(app, job_id) == ["one", "two", "three"]
        assert runs == ["again"]


async def test_messages_that_came_early_are_taken_in_order_whichever_call_dies(project, home):
    """Each of the calls that take them dies once after it has taken its message."""

    @project.recipe()
    async def reader(job: Job) -> list[str]:
        await job.wait_for("begin")
        return await job.gather(*[job.wait_for("line", str) for _ in range(4)])

    async with opened(project, home) as app:
        job_id = (await app.start(reader)).job_id
        for line in "abcd":
            await app.send_event(job_id, "line", line)
        deaths = 0

        def die_often() -> None:
            nonlocal deaths
            deaths += 1
            if deaths < 6:
                dying(app)()

        with armed("call.after", die_often):
            await app.send_event(job_id, "begin")
            assert await result(app, job_id) == ["a", "b", "c", "d"]
        assert deaths > 6


async def test_an_expiry_that_came_first_wins_over_a_later_event(project, home):
    """ "An expiry is an inbox row too, first wins, inserted by whoever sees it due." The event that
    comes after it, but before the re-run, is kept for the next who waits."""

    @project.recipe()
    async def patient(job: Job) -> list[str]:
        try:
            first = await job.wait_for("go", str, timeout=1000)
        except WaitTimedOut:
            first = "too late"
        return [first, await job.wait_for("go", str)]

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        expired = await app.store.write(inbox.expire, time.time() + 2000)
        assert [each.wait_id for each in expired] == [wait_id(job_id, 1)]
        await app.send_event(job_id, "go", "hello")
        await inside(app, recovery.sweep(app.worker))
        assert await result(app, job_id) == ["too late", "hello"]


async def test_an_event_after_the_timeout_is_due_but_before_anyone_saw_it_is_taken(project, home):
    """ "An answer accepted after the timeout is due, but before the re-run, is lost." It came
    first, so it counts."""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str, timeout=1000)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
    async with another_process(home) as other:
        await other.write(inbox.send, job_id, f"{job_id}:go", "hello", "api")
        assert await other.write(inbox.expire, time.time() + 2000) == []
    async with opened(project, home) as app:
        assert await result(app, job_id) == "hello"


async def test_a_sleep_keeps_its_due_time_over_a_restart(project, home):
    """A replay that began the pause anew would sleep for as long again, at each restart."""

    @project.recipe()
    async def sleeper(job: Job) -> str:
        await job.sleep(NEVER)
        return "slept"

    due = "select due_at from waits"
    async with opened(project, home) as app:
        job_id = (await app.start(sleeper)).job_id
        await idle(app, job_id)
        first = await rows(app, due)
    async with opened(project, home) as app:
        await idle(app, job_id)
        assert await rows(app, due) == first
        await app.store.write(inbox.expire, time.time() + 2 * NEVER)
        await park_or_end(app, job_id)
        assert await result(app, job_id) == "slept"


async def park_or_end(app, job_id: str) -> None:
    """An answer whose delivery was lost is found when the job would be parked."""
    await inside(app, app.worker.parking.park(app.worker.runs[job_id]))


async def test_a_timer_that_was_due_while_nothing_ran_goes_off_at_the_start(project, home):
    """The process is down when the clock strikes."""

    @project.recipe()
    async def sleeper(job: Job) -> str:
        await job.sleep(NEVER)
        return "slept"

    async with opened(project, home) as app:
        job_id = (await app.start(sleeper)).job_id
        await park(app, job_id)
    async with another_process(home) as other:
        await other.write(lambda c: c.exec_driver_sql("update waits set due_at = 1") and None)
    async with opened(project, home) as app:
        assert await result(app, job_id) == "slept"


async def test_a_hundred_waits_decided_one_by_one_do_not_start_a_body_per_decision(project, home):
    """ "100 approvals under one `gather`, decided one by one: 5,150 bodies started." A pure wait
    wakes its job only when all its siblings are answered."""

    def count(n: int) -> int:
        started.append(n)
        return n

    @project.recipe()
    async def approvals(job: Job) -> int:
        begun = await job.gather(*[job.step(count, n) for n in range(3)])
        given = await job.gather(*[job.wait_for(f"approval {n}", int) for n in range(100)])
        return len(begun) + sum(given)

    runs = 0

    def count_runs() -> None:
        nonlocal runs
        runs += 1

    async with opened(project, home) as app:
        with armed("job.begun", count_runs):
            job_id = (await app.start(approvals)).job_id
            await park(app, job_id)
            for n in range(100):
                await app.send_event(job_id, f"approval {n}", 1)
                if n in (0, 50, 98):
                    await delivered(app)
                    assert (await row(app, job_id)).want == "parked"
            assert await result(app, job_id) == 103
        assert runs == 2
        assert sorted(started) == [0, 1, 2]


async def delivered(app) -> None:
    """Wait until all that was sent has been brought to its job."""
    await inside(app, asyncio.sleep(0))
    await eventually(lambda: not app.worker._background)


async def test_a_map_of_parked_children_wakes_its_parent_once(project, home):
    """ "A `map` wakes its parent once, and the ending child's transaction starts the next item."
    The items are parked and answered one by one, with a limit: total starts stay O(n)."""

    @project.recipe()
    async def item(job: Job, n: int) -> int:
        return await job.wait_for("go", int)

    @project.recipe()
    async def parent(job: Job) -> list[int]:
        return await job.map(item, list(range(12)), limit=4)

    runs: list[str] = []
    async with opened(project, home) as app:
        note = armed("job.begun", lambda: runs.append("run"))
        with note:
            job_id = (await app.start(parent)).job_id
            for n in range(12):
                await park(app, f"{job_id}.1.{n}")
                if n == 0:
                    await park(app, job_id)
                live = "select count(*) from jobs where want in ('run', 'parked')"
                open_items = f"{live} and status <> 'succeeded' and parent_id is not null"
                ((open_now,),) = await rows(app, open_items)
                assert open_now <= 4
                await app.send_event(f"{job_id}.1.{n}", "go", n)
                await status(app, f"{job_id}.1.{n}", "succeeded")
            assert await result(app, job_id) == list(range(12))
    assert len(runs) == 2 * 13  # each job once until it waits, once after


async def test_answers_of_another_process_that_come_close_together_all_arrive(
    project, home, patient
):
    """Each commit of the other process asks for a look; a look that is under way when the next
    commit comes must not swallow it."""
    async with opened(project, home) as app:
        jobs = [(await app.start(patient)).job_id for _ in range(20)]
        for job_id in jobs:
            await idle(app, job_id)
        async with another_process(home) as other:
            for job_id in jobs:
                await other.write(inbox.send, job_id, f"{job_id}:go", job_id, "api")
        assert [await result(app, job_id) for job_id in jobs] == jobs


async def test_an_answer_that_comes_during_the_look_at_an_earlier_one_is_seen(
    project, home, patient, monkeypatch
):
    """The other process commits while this one has read, and not yet noted, what was there."""
    look, looks = recovery.look, []
    async with opened(project, home) as app, another_process(home) as other:
        first, second = [(await app.start(patient)).job_id for _ in range(2)]
        await idle(app, first)
        await idle(app, second)

        async def look_and_miss(worker, after, topics):
            seen = await look(worker, after, topics)
            looks.append(seen)
            if len(looks) == 1:
                unseen = asyncio.Event()
                app.store.watch(lambda _topics: app._loop.call_soon(unseen.set))
                send = (inbox.send, second, f"{second}:go", "second", "api")
                await asyncio.wrap_future(other.submit(*send))
                await asyncio.wait_for(unseen.wait(), 60)
            return seen

        monkeypatch.setattr(recovery, "look", look_and_miss)
        await other.write(inbox.send, first, f"{first}:go", "first", "api")
        assert await result(app, first) == "first"
        assert await result(app, second) == "second"


async def test_the_first_look_does_not_wake_once_per_answer_since_the_start(project, home, patient):
    """This process has answered 50 jobs by itself; then another one commits for the first time:
    only what it brought is looked at."""
    async with opened(project, home) as app, another_process(home) as other:
        for _ in range(50):
            job_id = (await app.start(patient)).job_id
            await app.send_event(job_id, "go", "hello")
            assert await result(app, job_id) == "hello"
        waiting = (await app.start(patient)).job_id
        await idle(app, waiting)
        woken: list[str] = []
        wake = app.worker.waking.wake

        async def count(job_id: str) -> None:
            woken.append(job_id)
            await wake(job_id)

        app.worker.waking.wake = count
        await other.write(inbox.send, waiting, f"{waiting}:go", "hello", "api")
        assert await result(app, waiting) == "hello"
        assert woken == []


async def test_a_dying_run_does_not_take_its_successors_answer_away(project, home, patient):
    """ "In-process registries are keyed by (run, wait), so a dying run never removes its
    successor's future." The successor waits already when the older one leaves."""
    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await idle(app, job_id)
        zombie = await take_over(app, job_id)
        await idle(app, job_id)
        await eventually(lambda: len(app.worker.waits._waiting[wait_id(job_id, 1)]) == 2)
        await inside(app, _end(zombie))
        await eventually(lambda: zombie.main.done())
        await app.send_event(job_id, "go", "hello")
        assert await result(app, job_id) == "hello"


async def _end(run) -> None:
    run.end("deposed")


async def test_a_parked_job_is_woken_though_an_older_run_of_it_hears_of_the_answer(
    project, home, patient
):
    """*The older run waited still, and had not heard that it is over: the answer was taken for
    heard, and the job lay parked until the next sweep.*"""
    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await idle(app, job_id)
        zombie = await take_over(app, job_id)
        await park(app, job_id)
        await app.send_event(job_id, "go", "hello")
        assert await result(app, job_id) == "hello"
        await eventually(lambda: zombie.main.done())


async def test_a_message_whose_commit_was_refused_is_not_delivered(
    project, home, patient, monkeypatch
):
    """The sender hears that it was not taken; the job must not have seen it either."""
    send = inbox.send

    def send_in_vain(connection, *message):
        send(connection, *message)
        away()

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await status(app, job_id, "suspended")
        with monkeypatch.context() as refused:
            refused.setattr(inbox, "send", send_in_vain)
            with pytest.raises(StoreUnavailable):
                await app.send_event(job_id, "go", "lost")
        assert (await row(app, job_id)).status == "suspended"
        await app.send_event(job_id, "go", "hello")
        assert await result(app, job_id) == "hello"


@pytest.mark.folder
async def test_an_answer_that_comes_while_a_project_opens_is_found_or_heard_of(
    project, home, patient, monkeypatch: pytest.MonkeyPatch
):
    """*It came when it had been looked at what there is, and nobody was told of what comes yet*: it
    waited for the next sweep."""

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
    begin = App._begin

    async def begin_slowly(app, engine) -> None:
        await begin(app, engine)
        recovering, *_ = app._regularly
        await recovering
        database = app.store._database
        before = database._version
        async with another_process(home) as other:
            await other.write(inbox.send, job_id, f"{job_id}:go", "hello", "api")
        await eventually(lambda: database._version != before, "its writer never looked")

    monkeypatch.setattr(App, "_begin", begin_slowly)
    async with opened(project, home) as app:
        assert await result(app, job_id) == "hello"
