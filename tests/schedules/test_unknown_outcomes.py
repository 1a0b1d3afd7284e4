"""What may have happened once is never done again by guesswork: a person says what became of it."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa
from tests.support import (
    NEVER,
    armed,
    clerk,
    eventually,
    idle,
    opened,
    park,
    result,
    row,
    rows,
    status,
)

from lampwork import Job, NotDone, Project, testing
from lampwork.errors import AlreadyAnswered, InputInvalid, JobFailed
from lampwork.store import schema
from lampwork.worker import parking

begun: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_begun() -> None:
    begun.clear()


async def asked(app, job_id: str) -> str:
    """The wait of the person who is asked now."""

    async def open_wait() -> str | None:
        found = await rows(
            app, "select id from waits where job_id = :job and not answered", job=job_id
        )
        return found[0][0] if found else None

    await status(app, job_id, "needs_attention")
    return await eventually(open_wait)


def unsure(gate: threading.Event) -> str:
    """Pays, and does not come back while its process lives."""
    begun.append("pay")
    if not gate.is_set():
        gate.wait(60)
    return "paid"


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


def as_step(project, gate):
    @project.recipe()
    async def payer(job: Job) -> str:
        return await job.options(effect="at_most_once").step(unsure, gate)

    return payer


def as_skill(project, gate):
    @project.skill()
    def pay() -> str:
        """Pay."""
        return unsure(gate)

    genie = clerk(project, pay)

    @project.recipe()
    async def payer(job: Job) -> str:
        task = await job.assign_task(genie, "Pay.")
        return str(task.actions[0].status)

    return payer


@pytest.mark.parametrize("make", [as_step, as_skill])
@pytest.mark.parametrize("resolution", ["happened", "did_not_happen", "fail"])
async def test_a_process_that_ended_in_the_middle_leaves_a_question_with_three_answers(
    project, home, gate, make, resolution
):
    """ "After a crash an intent without result is an unknown outcome": "it happened, with this
    result" / "it did not happen: do it" / "fail"; it is never begun twice by us."""
    payer = make(project, gate)
    async with opened(project, home, grace=0) as app:
        job_id = (await app.start(payer)).job_id
        await eventually(lambda: begun)
    async with opened(project, home) as app:
        wait = await asked(app, job_id)
        assert begun == ["pay"]
        gate.set()
        paid = "paid" if resolution == "happened" else None
        await app.resolve(wait, resolution, result=paid, reason="it came back", by="ann")
        if resolution == "fail":
            with pytest.raises(JobFailed, match="it came back"):
                await result(app, job_id)
        else:
            assert await result(app, job_id) in ("paid", "ok")
        assert len(begun) == (2 if resolution == "did_not_happen" else 1)


@pytest.mark.parametrize("make", [as_step, as_skill])
async def test_what_is_unknown_twice_in_a_row_is_asked_twice(project, home, gate, make):
    """A person says that it did not happen; it is begun again, and the process ends again. The
    second question is another one: the first answer must not count for it."""
    payer = make(project, gate)
    async with opened(project, home, grace=0) as app:
        job_id = (await app.start(payer)).job_id
        await eventually(lambda: begun)
    async with opened(project, home, grace=0) as app:
        first = await asked(app, job_id)
        await app.resolve(first, "did_not_happen", by="ann")
        await eventually(lambda: len(begun) == 2)
    async with opened(project, home) as app:
        second = await asked(app, job_id)
        assert second != first
        with pytest.raises(AlreadyAnswered):
            await app.resolve(first, "happened", result="no", by="eve")
        await park(app, job_id)
        await app.resolve(second, "happened", result="paid", by="ann")
        assert await result(app, job_id) in ("paid", "ok")
        assert begun == ["pay", "pay"]


@pytest.mark.parametrize("make", [as_step, as_skill])
@pytest.mark.parametrize("at", ["wait.opened", "wait.answered", "call.after"])
async def test_a_crash_around_the_answer_does_not_ask_again(project, home, gate, make, at):
    """The question is asked, answered, or its answer about to be recorded, when the run dies."""
    payer = make(project, gate)
    async with opened(project, home, grace=0) as app:
        job_id = (await app.start(payer)).job_id
        await eventually(lambda: begun)
    gate.set()
    with testing.fails_at(at):  # already while it opens
        async with opened(project, home) as app:
            wait = await asked(app, job_id)
            await app.resolve(wait, "happened", result="paid", by="ann")
            assert await result(app, job_id) in ("paid", "ok")
            assert begun == ["pay"]
            assert await rows(app, "select count(*) from inbox") == [(1,)]


async def test_not_done_is_a_failure_and_no_question(project, home):
    """ "Raising `NotDone` says that nothing happened." """

    def pay() -> None:
        raise NotDone("the till is shut")

    @project.recipe()
    async def payer(job: Job) -> None:
        await job.options(effect="at_most_once").step(pay)

    async with opened(project, home) as app:
        job_id = (await app.start(payer)).job_id
        with pytest.raises(JobFailed, match="the till is shut"):
            await result(app, job_id)


@pytest.mark.parametrize("wrong", [None, 11])
@pytest.mark.parametrize("payer_of", [as_step, as_skill])
async def test_a_result_that_the_call_can_not_have_had_is_refused(
    project, home, gate, payer_of, wrong
):
    """The first answer counts, so one that would be of no use is not taken for one."""
    payer = payer_of(project, gate)
    async with opened(project, home, grace=0) as app:
        job_id = (await app.start(payer)).job_id
        await eventually(lambda: begun)
    async with opened(project, home) as app:
        wait = await asked(app, job_id)
        gate.set()
        wanted = r"(is not of type 'string'|It is a text)\. Nothing was changed\."
        with pytest.raises(InputInvalid, match=wanted):
            await app.resolve(wait, "happened", result=wrong, by="ann")

        assert await asked(app, job_id) == wait
        await app.resolve(wait, "happened", result="paid", by="ann")
        await result(app, job_id)
        assert begun == ["pay"]


async def test_a_result_of_a_type_that_has_changed_is_asked_for_again(project, home):
    """Ann says that it happened and gives a text, as was right when the step was begun; now the
    step gives a number. Recorded, it would fail the job, and nobody could say it better."""

    def pay_text() -> str:
        begun.append("pay")
        raise ConnectionResetError("no answer")

    def pay_number() -> int:
        raise AssertionError("done again")

    pay = pay_text

    @project.recipe()
    async def payer(job: Job) -> int:
        return await job.options(effect="at_most_once", name="pay").step(pay) + 1

    async with opened(project, home) as app:
        job_id = (await app.start(payer)).job_id
        first = await asked(app, job_id)
        await park(app, job_id)
        pay = pay_number
        await app.resolve(first, "happened", result="eleven", by="ann")

        async def asked_again() -> bool:
            return await asked(app, job_id) != first

        await eventually(asked_again)
        await park(app, job_id)
        of = schema.waits.c
        ((subject,),) = await rows(app, sa.select(of.subject).where(of.answered.is_(False)))
        why = subject["why"]
        assert why.startswith("the process ended while it was executing; ann said that it happened")
        assert "'eleven'" in why.replace('"', "'")
        assert "does not fit its type" in why
        await app.resolve(await asked(app, job_id), "happened", result=11, by="ann")
        assert await result(app, job_id) == 12
        assert begun == ["pay"]


async def test_two_unknown_outcomes_under_one_gather_are_two_questions(project, home):
    """Answered in either order, parked in between: each answer is for its own call."""

    def pay(whom: str) -> str:
        raise ConnectionResetError(whom)

    @project.recipe()
    async def payer(job: Job) -> list[str]:
        careful = job.options(effect="at_most_once")
        return await job.gather(careful.step(pay, "ann"), careful.step(pay, "bob"))

    async with opened(project, home) as app:
        job_id = (await app.start(payer)).job_id
        await park(app, job_id)
        assert (await row(app, job_id)).status == "needs_attention"
        await app.resolve(f"w{job_id[1:]}.2", "happened", result="two", by="eve")
        await app.resolve(f"w{job_id[1:]}.1", "happened", result="one", by="eve")
        assert await result(app, job_id) == ["one", "two"]


@pytest.mark.parametrize("make", [as_step, as_skill])
async def test_a_short_life_of_a_process_does_not_hide_that_a_person_is_needed(
    project, home, gate, make, monkeypatch
):
    """The job is run again up to its question, and its process closes before that is shown."""
    payer = make(project, gate)
    async with opened(project, home, grace=0) as app:
        job_id = (await app.start(payer)).job_id
        await eventually(lambda: begun)
    async with opened(project, home) as app:
        await asked(app, job_id)
    gate.set()
    monkeypatch.setattr(parking, "_SHOW_WAITING_AFTER", NEVER)
    async with opened(project, home) as app:
        await idle(app, job_id)
        assert (await row(app, job_id)).status == "running"
    async with opened(other_project(), home) as app:
        assert (await row(app, job_id)).status == "needs_attention"


@pytest.mark.parametrize("make", [as_step, as_skill])
async def test_nor_does_one_that_ends_before_the_question_is_reached(project, home, gate, make):
    payer = make(project, gate)
    async with opened(project, home, grace=0) as app:
        job_id = (await app.start(payer)).job_id
        await eventually(lambda: begun)
    async with opened(project, home) as app:
        await asked(app, job_id)
    gate.set()
    begins = threading.Event()
    with armed("job.begun", begins.set):
        async with opened(project, home) as app:
            await eventually(begins.is_set)
    async with opened(other_project(), home) as app:
        assert (await row(app, job_id)).status == "needs_attention"


def other_project() -> Project:
    """One whose process leaves the jobs of the others alone."""
    return Project("other")
