"""The clock of a test: jobs go by it, and it moves when the test says so."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lampwork import (
    Answer,
    Call,
    Cron,
    Job,
    OrchestrationLimits,
    Poll,
    Project,
    Retry,
    Turn,
    playbook,
    testing,
)
from lampwork.errors import (
    InputInvalid,
    JobFailed,
    ModelUnavailable,
    StepFailed,
    StillExecuting,
    StillWaiting,
    WaitTimedOut,
)
from lampwork.store.jobs import jobs
from lampwork.testing import rest

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOES = testing.script(Call("stand"), Answer("stood"))

project = Project("clocks")
began: list[datetime] = []
attempts: list[float] = []
arrived: list[str] = []
let_go = threading.Event()


@pytest.fixture(autouse=True)
def _nothing_yet() -> None:
    for each in (began, attempts, arrived):
        each.clear()


@project.recipe()
async def naps(job: Job) -> list[datetime]:
    times = [await job.now()]
    for _ in range(3):
        await job.sleep(HOUR)
        times.append(await job.now())
    await job.sleep_until(NOON + 12 * HOUR)
    return [*times, await job.now()]


def pay() -> str:
    raise ConnectionError("the bank hung up")


@project.recipe()
async def unsure(job: Job) -> str:
    return await job.options(effect="at_most_once").step(pay)


@project.recipe()
async def patient(job: Job) -> str:
    try:
        return await job.wait_for("word", str, timeout=3600)
    except WaitTimedOut:
        return f"nobody said anything until {(await job.now()):%H:%M}"


def fail() -> None:
    attempts.append(time.monotonic())
    raise ConnectionError("away")


@project.recipe()
async def stubborn(job: Job) -> str:
    try:
        await job.options(retry=Retry(5, delay=3600, longest=3600)).step(fail)
    except StepFailed as error:
        return error.error_type
    return "done"


@project.skill(effect="read")
async def stand() -> str:
    """Stand there."""
    await asyncio.Event().wait()
    return "stood"


@project.skill(effect="read", retry=Retry(3, delay=3600, longest=3600))
def knock() -> str:
    """Knock."""
    attempts.append(time.monotonic())
    raise ConnectionError("nobody is there")


@project.recipe()
async def holds(job: Job) -> bool:
    return await job.step(let_go.wait, 60)


guard = project.genie(
    "guard", model="openai:gpt-5.2", job_description="You stand.", skills=[stand, knock]
)


@project.recipe()
async def watch(job: Job, deadline: float | None = None) -> str:
    return (await job.assign_task(guard, "Stand.", deadline=deadline)).response


@playbook
def shaky(turn: Turn) -> Answer:
    attempts.append(time.monotonic())
    if len(attempts) < 3:
        raise ModelUnavailable("away")
    return Answer("up")


@playbook
def leading(turn: Turn) -> Call | Answer:
    one = {"id": "a", "title": "A", "agent": "shaky", "brief": "Do it."}
    return Answer("done") if turn.results else Call("plan", subtasks=[one])


lead = project.orchestrator(
    "lead",
    model=leading,
    job_description="You lead.",
    agents=[project.genie("shaky", model=shaky, job_description="You shake.")],
    limits=OrchestrationLimits(backoff=3600),
)


@project.recipe(triggers=[Cron("30 * * * *")])
async def half_past(job: Job) -> None:
    assert job.trigger.scheduled_at is not None
    began.append(job.trigger.scheduled_at)


def what_arrived() -> list[dict[str, str]]:
    return [{"id": each} for each in arrived]


@project.recipe(triggers=[Poll(what_arrived, every=600)])
async def fetch(job: Job, item: dict[str, str]) -> str:
    return item["id"]


def opened(**given: Any) -> testing.Opening:
    """With patience for a machine that has much else to do."""
    return testing.opened(project, model=GOES, at=NOON, **{"patience": 60.0} | given)


async def test_jobs_sleep_as_long_as_the_clock_says_and_no_longer() -> None:
    async with opened() as app:
        job = await app.start(naps)
        await app.clock.advance(hours=12)
        times = await app.result(job.job_id, list[datetime])

    assert times == [NOON, NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR, NOON + 12 * HOUR]


async def test_what_is_not_due_yet_waits_on() -> None:
    async with opened() as app:
        job = await app.start(patient)
        await app.clock.advance(minutes=59, seconds=59)
        [on] = (await app.insights.view(job.job_id)).waiting_on
        assert (on.kind, on.until) == ("event", NOON + HOUR)
        await app.clock.advance(seconds=1)
        assert await app.result(job.job_id) == "nobody said anything until 13:00"


async def test_an_answer_that_comes_in_time_counts() -> None:
    async with opened() as app:
        job = await app.start(patient)
        await app.clock.advance(minutes=59)
        await app.send_event(job.job_id, "word", "hello")
        await app.clock.advance(hours=1)
        assert await app.result(job.job_id) == "hello"


async def test_parked_jobs_and_those_of_an_earlier_process_come_due_too(tmp_path: Any) -> None:
    async with opened(home=tmp_path, park_after=0.0) as app:
        job = await app.start(naps)
        await app.clock.advance(hours=2)
    later = {"at": NOON + 2 * HOUR, "patience": 60.0, "park_after": 0.0}
    async with testing.opened(project, home=tmp_path, **later) as app:
        await app.clock.advance_to(NOON + 12 * HOUR)
        assert (await app.result(job.job_id, list[datetime]))[3:] == [
            NOON + 3 * HOUR,
            NOON + 12 * HOUR,
        ]


async def test_a_step_rests_between_its_attempts_by_the_clock() -> None:
    async with opened() as app:
        job = await app.start(stubborn)
        await app.clock.advance(seconds=0)
        assert len(attempts) == 1
        await app.clock.advance(hours=1)
        assert len(attempts) == 2
        await app.clock.advance(hours=4)
        assert await app.result(job.job_id) == "ConnectionError"

    assert len(attempts) == 5


async def test_a_skill_rests_between_its_attempts_by_the_clock() -> None:
    knocks = testing.script(Call("knock"), Answer("left"))
    async with opened(models={"guard": knocks}) as app:
        job = await app.start(watch)
        await app.clock.advance(hours=2)
        assert await app.result(job.job_id) == "left"

    assert len(attempts) == 3


def test_pauses_before_another_attempt_pass_by_themselves_where_a_result_is_awaited() -> None:
    knocks = testing.script(Call("knock"), Answer("left"))
    assert opened().run(stubborn) == "ConnectionError"
    assert opened(models={"guard": knocks}).run(watch) == "left"
    with pytest.raises(JobFailed, match="deadline"):
        opened(models={"guard": knocks}).run(watch, deadline=1000.0)

    assert len(attempts) == 5 + 3 + 1


@pytest.mark.parametrize("park_after", [0.0, 3600.0])
async def test_pauses_before_another_attempt_at_a_subtask_pass_by_themselves(
    park_after: float,
) -> None:
    played = {"lead": leading, "shaky": shaky}
    async with opened(models=played, park_after=park_after) as app:
        assert (await app.assign_task(lead, "Go.")).response == "done"
        assert app.clock.time == NOON + 3 * HOUR  # one, then two

    assert len(attempts) == 3


async def test_a_deadline_passes_while_a_skill_executes() -> None:
    async with opened() as app:
        job = await app.start(watch, deadline=3600)
        while not app.requests:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await app.clock.advance(hours=1, while_executing=True)
        with pytest.raises(JobFailed) as raised:
            await app.result(job.job_id)

    assert raised.value.error["code"] == "task_deadline_exceeded"


async def test_what_executes_on_and_on_is_named() -> None:
    async with opened(patience=0.2) as app:
        job = await app.start(watch)
        while not app.requests:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        with pytest.raises(StillExecuting, match=f"task guard of job {job.job_id}"):
            await app.clock.advance(hours=1)


async def test_while_the_machine_stands_still_nobody_executes_for_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """*A test failed with StillExecuting, for its container had been paused for six seconds.*"""
    at_rest, steady = rest.at_rest, time.monotonic
    let_go.clear()
    looks = 0

    async def look(app: testing.TestApp) -> bool:
        nonlocal looks
        if found := await at_rest(app):
            return found
        looks += 1  # it executes, and before the next look the machine stands still
        if looks == 3:
            let_go.set()
        return False

    monkeypatch.setattr(rest, "at_rest", look)
    monkeypatch.setattr(rest, "time", SimpleNamespace(monotonic=lambda: steady() + 100 * looks))
    async with opened() as app:
        await app.start(holds)
        await app.settled()
    assert looks >= 3


async def test_triggers_fire_by_the_clock() -> None:
    async with opened(triggers=True) as app:
        await app.clock.advance(hours=3)
        assert began == [NOON + (n + 0.5) * HOUR for n in range(3)]
        arrived.append("order 1")
        await app.clock.advance(minutes=10)
        fetched = await app.insights.jobs(recipe="fetch")

    assert [each.status for each in fetched.items] == ["succeeded"]


async def test_who_awaits_a_job_that_only_waits_is_told_for_what() -> None:
    async with opened(patience=0.1) as app:
        job = await app.start(patient)
        with pytest.raises(StillWaiting) as raised:
            await app.result(job.job_id)

    assert raised.value.job_id == job.job_id
    assert 'waits for event "word" until 2026-01-05 13:00:00 UTC' in str(raised.value)
    assert "stands at 2026-01-05 12:00:00 UTC" in str(raised.value)


async def test_who_awaits_a_job_that_has_ended_is_not_told_that_it_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """*However late it is read how it did.*"""
    ended, looked = jobs.if_ended, threading.Event()

    def late(connection: Any, job_id: str) -> Any:
        assert looked.wait(60)
        return ended(connection, job_id)

    async with opened() as app:
        job, view = await app.start(stubborn), app.insights.view

        async def look(job_id: str) -> Any:
            looked.set()
            return await view(job_id)

        assert await app.result(job.job_id) == "ConnectionError"
        app.patience = 0.0
        monkeypatch.setattr(jobs, "if_ended", late)
        monkeypatch.setattr(app.insights, "view", look)
        assert await app.result(job.job_id) == "ConnectionError"


async def test_who_awaits_what_a_person_must_resolve_is_told_under_which_id() -> None:
    async with opened(patience=0.1) as app:
        job = await app.start(unsure)
        with pytest.raises(StillWaiting) as raised:
            await app.result(job.job_id)
        [wait] = raised.value.waiting_on
        assert f'await app.resolve("{wait["wait_id"]}", "happened", result=…, by=…)' in str(
            raised.value
        )
        await app.resolve(wait["wait_id"], "happened", result="paid", by="ada")
        assert await app.result(job.job_id) == "paid"


async def test_the_clock_does_not_go_back() -> None:
    async with opened() as app:
        with pytest.raises(InputInvalid, match="forward only"):
            await app.clock.advance(hours=-1)
        assert app.clock.time == NOON
