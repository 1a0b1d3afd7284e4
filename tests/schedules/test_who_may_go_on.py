"""Two runs of one job: only the owner goes on, and a run that is over starts nothing."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.support import (
    DEADLINE,
    Gate,
    armed,
    clerk,
    end_run,
    eventually,
    idle,
    inside,
    opened,
    park,
    requeue,
    result,
    row,
    rows,
    take_over,
)

from lampwork import Answer, Call, Job, SkillCall, Turn, playbook
from lampwork.errors import StepFailed
from lampwork.store.jobs import jobs
from lampwork.store.tasks import openings, tasks

happened: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_happened() -> None:
    happened.clear()


def note(what: str) -> None:
    happened.append(what)


async def gone(run) -> None:
    """Wait until a run has left its code."""
    await eventually(lambda: run.main.done(), "the run goes on")


async def test_a_zombie_that_claims_its_task_after_the_owner_goes_no_further(
    project, home, monkeypatch
):
    """ "A freezes before its task step; B takes the job over; A thaws and claims the task after B:
    the newest claim is not the owner's." A's claim is refused in the transaction that would make
    it, because A no longer leads the job: B does not even notice."""
    before_claim, in_model = Gate(), Gate()

    @playbook
    async def thoughtful(turn: Turn) -> Answer:
        await in_model.hold_first()
        return Answer("done")

    genie = project.genie("thoughtful", model=thoughtful, job_description="You think.")

    @project.recipe()
    async def review(job: Job) -> str:
        return (await job.assign_task(genie, "Think.")).response

    async with opened(project, home) as app:
        write = app.store.write

        async def freeze_first_claim(change, *args, **kwargs):
            if change is openings.open_or_claim:
                await before_claim.hold_first()
            return await write(change, *args, **kwargs)

        monkeypatch.setattr(app.store, "write", freeze_first_claim)
        job_id = (await app.start(review)).job_id
        await eventually(lambda: before_claim.passed)
        zombie = await take_over(app, job_id)
        await eventually(lambda: in_model.passed, "the owner did not get to its model")
        before_claim.open()
        await gone(zombie)
        assert zombie.ended == "deposed"
        assert await rows(app, "select epoch from tasks") == [(1,)]
        in_model.open()
        assert await result(app, job_id) == "done"
        assert in_model.passed == 1  # the zombie asked no model
        assert await rows(app, "select epoch, status from tasks") == [(1, "answered")]


async def test_a_zombie_that_appends_first_leaves_one_history_and_one_key(
    project, home, monkeypatch
):
    """*Zombie appends first*: it is in the middle of a skill call when the job is taken over, and
    comes back with its result before its successor has claimed the task."""
    in_skill, appended, claims = Gate(), asyncio.Event(), 0

    @project.skill(effect="idempotent")
    async def pay(call: SkillCall) -> str:
        """Pay."""
        note(call.idempotency_key)
        await in_skill.hold_first()
        return "paid"

    genie = clerk(project, pay)

    @project.recipe()
    async def payer(job: Job) -> str:
        return (await job.assign_task(genie, "Pay.")).response

    async with opened(project, home) as app:
        write = app.store.write

        async def hold_second_claim(change, *args, **kwargs):
            nonlocal claims
            claims += change is openings.open_or_claim
            if change is openings.open_or_claim and claims == 2:
                await appended.wait()
            written = await write(change, *args, **kwargs)
            if change is tasks.append and in_skill.opened:
                appended.set()
            return written

        monkeypatch.setattr(app.store, "write", hold_second_claim)
        job_id = (await app.start(payer)).job_id
        await eventually(lambda: in_skill.passed)
        zombie = await take_over(app, job_id)
        await eventually(lambda: claims == 2)
        in_skill.open()
        assert await result(app, job_id) == "done"
        await gone(zombie)
        assert len(happened) == 1
        kinds = [kind for (kind,) in await rows(app, "select kind from entries order by seq")]
        assert kinds == ["told", "said", "intent", "result", "said", "answered"]


async def test_a_zombie_that_comes_back_late_records_nothing(project, home):
    """Its successor has claimed the task and repeats the call with the same key; then the older
    run comes back with its own result, and a model's reply that nobody may act on."""
    in_skill = Gate()
    asked: list[int] = []

    @project.skill(effect="idempotent")
    async def pay(call: SkillCall) -> str:
        """Pay."""
        note(call.idempotency_key)
        await in_skill.hold_first()
        return f"paid {in_skill.passed}"

    @playbook
    def payer_model(turn: Turn) -> Call | Answer:
        asked.append(turn.number)
        return Answer(str(turn.results[0].value)) if turn.results else Call("pay")

    genie = project.genie("payer", model=payer_model, job_description="You pay.", skills=[pay])

    @project.recipe()
    async def payer(job: Job) -> str:
        return (await job.assign_task(genie, "Pay.")).response

    async with opened(project, home) as app:
        job_id = (await app.start(payer)).job_id
        await eventually(lambda: in_skill.passed)
        zombie = await take_over(app, job_id)
        assert await result(app, job_id) == "paid 2"
        in_skill.open()
        await gone(zombie)
        assert len(happened) == 2
        assert len(set(happened)) == 1
        assert asked == [1, 2]
        assert await rows(app, "select count(*) from entries where kind = 'result'") == [(1,)]


async def test_what_a_step_of_an_older_run_gives_is_not_recorded_for_the_newer_one(project, home):
    """It comes back while its successor is in the same step: what is on record would no longer be
    what the run that leads has seen, and the recipe would get what a step gave that it never had.
    """
    first, second = Gate(), Gate()

    async def work() -> int:
        if not first.passed:
            await first.hold_first()
            return 1
        await second.hold_first()
        return 2

    @project.recipe()
    async def worker(job: Job) -> int:
        return await job.step(work)

    async with opened(project, home) as app:
        job_id = (await app.start(worker)).job_id
        await eventually(lambda: first.passed)
        zombie = await take_over(app, job_id)
        await eventually(lambda: second.passed)
        first.open()
        await gone(zombie)
        assert zombie.ended == "deposed"
        assert await rows(app, "select * from calls") == []
        second.open()
        assert await result(app, job_id) == 2


async def test_a_run_that_begins_after_its_successor_goes_no_further(project, home, monkeypatch):
    """*It was claimed, and froze before it began; meanwhile another one was claimed, and began.* It
    began last and would lead, but the engine would never take its outcome, and wait for that of the
    other one for ever."""
    in_first, in_step = Gate(), Gate()

    async def work() -> int:
        note("works")
        await in_step.hold_first()
        return len(happened)

    @project.recipe()
    async def worker(job: Job) -> int:
        return await job.step(work)

    async with opened(project, home) as app:
        write = app.store.write

        async def freeze_first(change, *args, **kwargs):
            if change is jobs.begin:
                await in_first.hold_first()
            return await write(change, *args, **kwargs)

        monkeypatch.setattr(app.store, "write", freeze_first)
        job_id = (await app.start(worker)).job_id
        await eventually(lambda: in_first.passed)
        await inside(app, requeue(app, job_id))
        await eventually(lambda: in_step.passed)
        in_first.open()
        await eventually(lambda: app.worker.runs[job_id].ended, "the successor leads on")
        in_step.open()
        assert await result(app, job_id) == 2
        assert await rows(app, "select run from jobs") == [(3,)]


async def test_a_deposed_runs_cleanup_does_not_run(project, home):
    """ "A deposed run's `finally: await job.step(unlock)` executed while the owner was working.
    DBOS's unexpected-step error is an `Exception`: a user's `except Exception` ran a refund." """
    in_step = Gate()

    async def work() -> str:
        await in_step.hold_first()
        return "worked"

    @project.recipe()
    async def careful(job: Job) -> str:
        try:
            return await job.step(work)
        except Exception:
            await job.step(note, "refund")
            raise
        finally:
            note("finally")
            job.log("unlocking")
            await job.step(note, "unlock")

    async with opened(project, home) as app:
        job_id = (await app.start(careful)).job_id
        await eventually(lambda: in_step.passed)
        zombie = await take_over(app, job_id)
        assert await result(app, job_id) == "worked"
        assert happened == ["finally", "unlock"]
        in_step.open()
        await gone(zombie)
        assert happened == ["finally", "unlock", "finally"]


@pytest.mark.parametrize("how", ["parked", "infrastructure"])
async def test_handlers_around_a_call_of_a_dying_run_do_nothing(project, home, how):
    """ "Once set, every job call raises our `BaseException` without starting, and the run ends by
    raising, never by returning." Whatever the recipe catches, on_end and log included."""

    @project.recipe()
    async def greedy(job: Job) -> str:
        said = ""
        try:
            said = await job.wait_for("go", str)
        except BaseException:
            try:
                job.on_end(note, "ended")
                job.log("dying")
                await job.step(note, "refund")
            except BaseException:
                return "swallowed"
        return said

    async with opened(project, home) as app:
        job_id = (await app.start(greedy)).job_id
        run = await idle(app, job_id)
        if how == "parked":
            await park(app, job_id)
        else:
            await end_run(app, job_id)
        await gone(run)
        await app.send_event(job_id, "go", "hello")
        assert await result(app, job_id) == "hello"
        assert happened == []
        assert await rows(app, "select count(*) from ends") == [(0,)]
        assert await rows(app, "select count(*) from logs") == [(0,)]


@pytest.mark.parametrize("call", ["step", "gather"])
async def test_a_recipe_that_swallows_its_runs_end_for_ever_does_not_stop_the_others(
    project, home, call
):
    """`while True: try: … except BaseException: pass` around a job call: each call of a run that is
    over raises at once, so the loop never gives the event loop back, and every job stands still."""
    parking = threading.Event()

    @project.recipe()
    async def stubborn(job: Job) -> str:
        while not parking.is_set():
            try:
                if call == "gather":
                    return (await job.gather(job.wait_for("go", str)))[0]
                return await job.wait_for("go", str)
            except BaseException:
                continue
        return "never"

    @project.recipe()
    async def other(job: Job) -> str:
        return "well"

    async with opened(project, home) as app:
        job_id = (await app.start(stubborn)).job_id
        run = await idle(app, job_id)
        try:
            await inside(app, app.worker.parking.park(run))
            assert await asyncio.wait_for(app.run(other), DEADLINE)
            await app.send_event(job_id, "go", "hello")
            assert await result(app, job_id) == "hello"
        finally:
            parking.set()  # or this process would spin for ever


async def test_a_run_that_ends_under_many_branches_leaves_all_of_them(project, home):
    """300 steps under one `gather`; the run is over before most have begun: none may linger."""
    in_step = Gate()

    async def work(n: int) -> int:
        await in_step.hold_first()
        return n

    @project.recipe()
    async def wide(job: Job) -> int:
        return sum(await job.gather(*[job.step(work, n) for n in range(300)]))

    async with opened(project, home) as app:
        job_id = (await app.start(wide)).job_id
        await eventually(lambda: in_step.passed)
        run = app.worker.runs[job_id]
        await end_run(app, job_id)
        in_step.open()
        await gone(run)
        assert await result(app, job_id) == sum(range(300))


async def test_no_exception_out_of_a_steps_body_strands_its_job(project, home):
    """ "`CancelledError`, `SystemExit` or any other `BaseException` out of a step's body leaves the
    job PENDING with no coroutine on a live worker." The envelope makes each a failure."""

    class Odd(BaseException):
        pass

    async def end_with(name: str) -> None:
        raise {"cancel": asyncio.CancelledError, "exit": SystemExit, "odd": Odd}[name]

    @project.recipe()
    async def careless(job: Job) -> list[str]:
        raised: list[str] = []
        for name in ("cancel", "exit", "odd"):
            try:
                await job.step(end_with, name)
            except StepFailed as error:
                raised.append(error.error_type.rpartition(".")[2])
        return raised

    async with opened(project, home) as app:
        job_id = (await app.start(careless)).job_id
        assert await result(app, job_id) == ["CancelledError", "SystemExit", "Odd"]


@pytest.mark.parametrize("around", ["a call", "a gather", "a call, handled"])
async def test_a_timeout_of_asyncios_around_a_call_is_refused(project, home, around):
    """ "`asyncio.timeout` around a job call is refused (`CallInterrupted`)": a replay could not do
    the same, so the job fails even if the recipe handles it."""

    @project.recipe()
    async def hasty(job: Job) -> str:
        try:
            async with asyncio.timeout(0.02):
                if around == "a gather":
                    await job.gather(job.wait_for("go"), job.wait_for("never"))
                else:
                    await job.wait_for("go")
        except Exception:
            if around == "a call, handled":
                return "went on"
            raise
        return "came"

    async with opened(project, home) as app:
        job_id = (await app.start(hasty)).job_id
        found = await eventually(lambda: _outcome(app, job_id))
        assert "call_interrupted" in found


async def test_a_timeout_that_comes_while_a_call_is_written_down_is_refused_too(project, home):
    """On a busy machine it is over before the call has begun: that is no ordinary TimeoutError,
    which a replay would not see."""
    writing, over = threading.Event(), threading.Event()

    @project.recipe()
    async def hasty(job: Job) -> str:
        writing.set()
        try:
            async with asyncio.timeout(0.02):
                await job.wait_for("go")
        except TimeoutError:
            return "a timeout"
        finally:
            over.set()
        return "came"

    def hold() -> None:
        if writing.is_set():
            over.wait(60)

    async with opened(project, home) as app:
        with armed("store.before_commit", hold):
            job_id = (await app.start(hasty)).job_id
            found = await eventually(lambda: _outcome(app, job_id))
        assert "call_interrupted" in found


async def _outcome(app, job_id: str) -> str | None:
    return (await row(app, job_id)).outcome
