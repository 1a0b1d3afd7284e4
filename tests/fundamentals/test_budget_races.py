"""Of many that race for the last of a budget, none gets more than there is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support import Metered

from lampwork import (
    Answer,
    Budget,
    Call,
    Job,
    Project,
    SkillCall,
    TaskAnswer,
    Turn,
    playbook,
)
from lampwork.errors import (
    BudgetExceeded,
    JobFailed,
    LampworkError,
    TaskDeadlineExceeded,
)
from lampwork.models import Ask, Reply
from lampwork.store.spending.reservations import Refused
from lampwork.tasks.conversation import Hold
from lampwork.testing import FakeClock

from .budgeted import answering, delegator, spent
from .conftest import Open

BRANCHES = 20


class Race:
    """A genie whose skill gives a task to each of 20 branches at once; what came of them."""

    def __init__(self, worker: Any, *, mapped: bool = False) -> None:
        self.project = Project("race")
        self.outcomes: list[Any] = []
        self.acts: list[str] = []

        @self.project.skill(effect="idempotent")
        async def act(call: SkillCall) -> str:
            """Do something."""
            self.acts.append(call.idempotency_key)
            return "done"

        helper = self.project.genie("helper", model=worker, job_description="", skills=[act])

        async def fan_out(job: Job) -> int:
            if mapped:
                self.outcomes = await job.map(do_part, range(BRANCHES), on_error="collect")
            else:
                calls = [job.assign_task(helper, f"Do part {i}.") for i in range(BRANCHES)]
                self.outcomes = await job.gather(*calls, on_error="collect")
            return len(self.outcomes)

        self.boss = self.project.genie(
            "boss",
            model=delegator,
            job_description="",
            skills=[self.project.recipe(name="fan_out")(fan_out)],
        )

    @property
    def answered(self) -> int:
        return sum(not isinstance(each, Exception) for each in self.outcomes)

    @property
    def refused(self) -> list[BudgetExceeded]:
        return [_cause(each) for each in self.outcomes if isinstance(each, Exception)]


def _cause(error: Any) -> Any:
    """What a branch failed with, also as a job of its own."""
    return LampworkError.from_record(error.error) if isinstance(error, JobFailed) else error


async def do_part(job: Job, part: int) -> str:
    return (await job.assign_task("helper", f"Do part {part}.")).output


def acting(turn: Turn) -> Call | Answer:
    return Answer("done") if turn.results else Call("act")


@pytest.mark.parametrize("mapped", [False, True], ids=["gather", "map"])
async def test_of_20_branches_that_race_for_the_last_model_calls_none_gets_one_too_many(
    opened: Open, mapped: bool
) -> None:
    race = Race(playbook(answering), mapped=mapped)
    async with opened(race.project) as app:
        with pytest.raises(JobFailed) as failed:
            await app.assign_task(race.boss, "Go.", budget=Budget(model_calls=8))
        assert (await spent(app))["model_calls"] == 8
    assert race.answered == 7
    assert {error.limit for error in race.refused} == {"model_calls"}
    assert failed.value.error["code"] == "budget_exceeded"


@pytest.mark.parametrize(
    ("limit", "budget"),
    [("tokens", Budget(tokens=40_000)), ("dollars", Budget(dollars=0.15))],
)
async def test_of_20_branches_that_use_all_they_may_none_overspends(
    opened: Open, limit: str, budget: Budget
) -> None:
    race = Race(Metered(answering, longest=4_000))
    async with opened(race.project) as app:
        await app.assign_task(race.boss, "Go.", budget=budget)
        figures = await spent(app)
    assert figures["tokens"] <= (budget.tokens or figures["tokens"])
    assert figures["nanodollars"] <= (budget.nanodollars or figures["nanodollars"])
    assert 5 <= race.answered < BRANCHES
    assert {error.limit for error in race.refused} == {limit}


async def test_branches_wait_for_what_others_have_reserved_and_do_not_use(opened: Open) -> None:
    """Side by side 3 of them fit, with all that their calls could get; 20 with what they use."""
    race = Race(Metered(answering, used=(500, 100)))
    async with opened(race.project) as app:
        await app.assign_task(race.boss, "Go.", budget=Budget(tokens=55_000))
        assert (await spent(app))["tokens"] == BRANCHES * 600
    assert race.answered == BRANCHES


async def test_what_is_reserved_as_time_runs_out_does_not_stay_reserved(
    opened: Open, stopped: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reservation is committed, and before the task that waited for it hears, its time is up."""
    project = Project("late")
    reserve, refused = Hold.reserve, asyncio.Event()
    asked: list[Ask] = []
    outcomes: list[Any] = []

    class Held(Metered):
        async def respond(self, ask: Ask) -> Reply:
            asked.append(ask)
            await (refused if len(asked) == 1 else asyncio.Event()).wait()
            return await super().respond(ask)

    async def reserve_slowly(hold: Hold, wanted: Any) -> Any:
        found = await reserve(hold, wanted)
        if isinstance(found, Refused):
            refused.set()
        elif refused.is_set():
            await stopped.advance(seconds=60, while_executing=True)
            await asyncio.sleep(0)  # what time cuts off, it cuts off here
            await asyncio.sleep(0)
        return found

    monkeypatch.setattr(Hold, "reserve", reserve_slowly)
    model = Held(answering, used=(500, 100))
    helper = project.genie("helper", model=model, job_description="")

    async def both(job: Job) -> None:
        parts = [job.assign_task(helper, f"Do part {i}.", deadline=60) for i in range(2)]
        outcomes.extend(await job.gather(*parts, on_error="collect"))

    boss = project.genie(
        "boss",
        model=delegator,
        job_description="",
        skills=[project.recipe(name="both")(both)],
    )
    async with opened(project) as app:
        await app.assign_task(boss, "Go.", budget=Budget(tokens=10_000))
        await spent(app)  # and nothing is reserved any more
    assert {type(each) for each in outcomes} == {TaskAnswer, TaskDeadlineExceeded}


async def test_of_20_branches_that_race_for_the_last_skill_calls_none_gets_one_too_many(
    opened: Open,
) -> None:
    """One of them is the boss's own."""
    race = Race(playbook(acting))
    async with opened(race.project) as app:
        await app.assign_task(race.boss, "Go.", budget=Budget(skill_calls=8))
        assert (await spent(app))["skill_calls"] == 8
    assert (race.answered, len(race.acts)) == (7, 7)
    assert {error.limit for error in race.refused} == {"skill_calls"}
    assert {tuple(each["status"] for each in error.actions) for error in race.refused} == {
        ("over_budget",)
    }
