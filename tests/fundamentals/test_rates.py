"""Rates: how often a provider, or one of its models, may be asked, by all workers together."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from lampwork import Answer, Job, Project, RateLimit, Turn, clock, playbook, testing
from lampwork.errors import JobFailed, ProjectError, TaskDeadlineExceeded
from lampwork.insights import Insights
from lampwork.store.spending import rates
from lampwork.types import JobRef

from ..support import Metered, row, rows

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
asked: list[tuple[str, float]] = []
"""What was asked, and how many seconds after noon."""


def note(turn: Turn) -> Answer:
    asked.append((turn.instructions, round(clock.now() - NOON.timestamp(), 3)))
    return Answer(f"did: {turn.instructions}")


@dataclass(frozen=True, eq=False)
class Named(Metered):
    """A playbook under the names of a provider's model, that takes so many tokens."""

    @property
    def paced_as(self) -> tuple[str, ...]:
        return "acme", "acme:one"


project = Project(
    "paced",
    rate_limits={
        "playbook:note": RateLimit(requests_per_minute=3),
        "acme": RateLimit(tokens_per_minute=6000),
    },
)
clerk = project.genie("clerk", model=playbook(note), job_description="You help.")
writer = project.genie("writer", model=Named(note, used=(1000, 2000)), job_description="You write.")


@project.recipe()
async def ask(job: Job, what: str, deadline: float | None = None) -> str:
    return (await job.assign_task(clerk, what, deadline=deadline)).output


@project.recipe()
async def write(job: Job, what: str) -> str:
    return (await job.assign_task(writer, what)).output


@pytest.fixture
async def app(tmp_path: Any) -> AsyncIterator[testing.TestApp]:
    asked.clear()
    async with testing.opened(project, at=NOON, patience=60.0) as app:
        yield app


async def started(app: testing.TestApp, recipe: Any, *names: str, **given: Any) -> list[JobRef]:
    """Jobs of a recipe, each started when the one before has been asked or waits for its turn."""
    jobs = list[JobRef]()
    for name in names:
        jobs.append(await app.start(recipe, what=name, **given))
        await app.settled()
    return jobs


async def test_a_model_is_asked_so_often_in_a_minute_and_then_as_often_as_that_allows(app) -> None:
    jobs = await started(app, ask, "0", "1", "2", "3", "4")
    assert asked == [("0", 0.0), ("1", 0.0), ("2", 0.0)]
    [wait] = (await Insights(app.store).view(jobs[4].job_id)).waiting_on
    assert (wait.kind, wait.what) == ("rate", "the rate of playbook:note")
    assert wait.until is not None
    assert (wait.until - NOON).total_seconds() == 40
    await app.clock.advance(seconds=20)
    await app.clock.advance(seconds=20)
    assert asked[3:] == [("3", 20.0), ("4", 40.0)]
    assert [await app.result(each.job_id) for each in jobs] == [f"did: {n}" for n in range(5)]


async def test_who_waits_for_a_rate_may_be_parked_and_has_its_turn_all_the_same(app) -> None:
    jobs = await started(app, ask, "0", "1", "2", "3")
    await app.clock.advance(seconds=5)
    run = app.worker.runs[jobs[3].job_id]
    await app._on_jobs_loop(app.worker.parking.park(run))
    assert (await row(app, jobs[3].job_id)).want == "parked"
    await app.start(ask, what="later")
    await app.clock.advance(seconds=15)
    await app.clock.advance(seconds=20)
    assert asked[3:] == [("3", 20.0), ("later", 40.0)]


async def test_tokens_that_a_reply_took_are_missing_afterwards(app) -> None:
    """6,000 a minute, 3,000 each: two at once, and a third when there is room for its request."""
    jobs = await started(app, write, "0", "1")
    assert [await app.result(each.job_id) for each in jobs] == ["did: 0", "did: 1"]
    third = await app.start(write, what="third")
    await app.settled()
    assert [what for what, _ in asked] == ["0", "1"]
    await app.clock.advance(seconds=30)
    assert await app.result(third.job_id) == "did: third"
    [(used_until,)] = await rows(app, "select tokens_at from rates where name = 'acme'")
    assert used_until - NOON.timestamp() == pytest.approx(90)


async def test_a_provider_that_wants_a_rest_has_it_from_everybody(app) -> None:
    """Also from those who had their turn before it said so; then they begin one by one."""
    jobs = await started(app, ask, "0", "1", "2", "3")
    taken = rates.Taken("paced", [rates.Rate("playbook:note", 3)], 0)
    await app.store.write(rates.close, taken, 50)
    jobs.append(await app.start(ask, what="4"))
    for _ in range(10):
        await app.clock.advance(seconds=10)
    assert sorted(asked[3:]) == [("3", 70.0), ("4", 50.0)]


async def test_a_task_whose_time_is_up_before_its_turn_was_not_asked(app) -> None:
    jobs = await started(app, ask, "0", "1", "2", "3", deadline=15.0)
    await app.clock.advance(seconds=15)
    with pytest.raises(JobFailed) as caught:
        await app.result(jobs[3].job_id)
    assert caught.value.error["code"] == TaskDeadlineExceeded.code
    assert len(asked) == 3


async def test_a_task_that_was_parked_before_it_was_asked_has_spent_nothing_by_that(app) -> None:
    """A call of which nothing is known is charged with an estimate; here there was none."""
    for number in range(2):
        await app.run(write, what=f"{number}")
    third = await app.start(write, what="third")
    await app.settled()
    await app._on_jobs_loop(app.worker.parking.park(app.worker.runs[third.job_id]))
    await app.clock.advance(seconds=60)
    assert await app.result(third.job_id) == "did: third"
    [(usage,)] = await rows(app, "select usage from tasks where job_id = :job", job=third.job_id)
    assert json.loads(usage) == {
        "requests": 1,
        "input_tokens": 1000,
        "output_tokens": 2000,
        "cost_nanodollars": 11_000_000,
    }


async def test_a_task_that_is_cancelled_before_it_was_asked_has_spent_nothing(app) -> None:
    for number in range(2):
        await app.run(write, what=f"{number}")
    third = await app.start(write, what="third")
    await app.settled()
    await app.cancel(third.job_id)
    await app.settled()
    assert (await row(app, third.job_id)).status == "cancelled"
    [(usage,)] = await rows(app, "select usage from tasks where job_id = :job", job=third.job_id)
    assert json.loads(usage) == {}


@pytest.mark.parametrize("wrong", [{}, {"requests_per_minute": 0}, {"tokens_per_minute": 0.5}])
def test_a_rate_at_which_nothing_would_be_asked_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProjectError, match="would let nothing be asked"):
        RateLimit(**wrong)
