"""Clocks that are off by an hour, or step back: on a server, only the database's counts.

*No early expiry, no double timer (the database's clock rules).*
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.support import eventually, opened, park, result, rows, sql, status

from lampwork import Cron, Job, clock
from lampwork.errors import WaitTimedOut

pytestmark = pytest.mark.server


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set this machine's clock: by how many seconds it is ahead."""
    true = time.time

    def set_clock(ahead: float) -> None:
        monkeypatch.setattr(clock.time, "time", lambda: true() + ahead)

    return set_clock


async def test_a_process_that_is_an_hour_ahead_ends_nothing_early(project, home, machine):
    @project.recipe()
    async def patient(job: Job) -> str:
        try:
            return await job.wait_for("word", str, timeout=1800)
        except WaitTimedOut:
            return "too late"

    @project.recipe()
    async def sleeper(job: Job) -> str:
        await job.sleep(timedelta(minutes=30))
        return "slept"

    async with opened(project, home) as app:
        jobs = [(await app.start(each)).job_id for each in (patient, sleeper)]
        for each in jobs:
            await park(app, each)
    machine(ahead=3600)
    async with opened(project, home, sweep_interval=0.05) as app:
        fresh = (await app.start(sleeper)).job_id
        await status(app, fresh, "suspended")
        assert [(await status(app, each, "suspended")).want for each in jobs] == ["parked"] * 2
        due = await rows(app, "select kind from waits where due_at < :at", at=clock.now() + 1700)
        assert due == []
        await app.send_event(jobs[0], "word", "in time")
        assert await result(app, jobs[0]) == "in time"


async def test_a_process_that_is_an_hour_behind_ends_nothing_late(project, home, machine):
    @project.recipe()
    async def sleeper(job: Job) -> str:
        await job.sleep(timedelta(minutes=30))
        return "slept"

    async with opened(project, home) as app:
        job = (await app.start(sleeper)).job_id
        await park(app, job)
        await sql(app, "update waits set due_at = due_at - 1800")
    machine(ahead=-3600)
    async with opened(project, home) as app:
        assert await result(app, job) == "slept"


async def test_a_clock_that_steps_back_lets_nothing_happen_twice(project, home, machine):
    fired: list[str] = []

    @project.recipe(triggers=[Cron("* * * * *", catch_up="all")])
    async def minutely(job: Job) -> None:
        fired.append(job.id)

    async with opened(project, home, triggers=True) as app:
        [first] = await app.fire(minutely)
        await result(app, first.job_id)
        before = await rows(app, "select fired_at, cursor from triggers")
        machine(ahead=-3600)
        stamp = clock.now()
        await eventually(lambda: fired)
        [second] = await app.fire(minutely)
        await result(app, second.job_id)
        after = await rows(app, "select fired_at, cursor from triggers")
        assert after[0][0] >= before[0][0]
        assert clock.now() >= stamp >= before[0][0]
        begun = await rows(app, "select created_at from jobs order by created_at, id")
        assert all(abs(at - stamp) < 120 for (at,) in begun)
