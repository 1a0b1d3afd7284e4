"""A budget limits a task and all that it delegates: reserved before each call, never overspent."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support import Metered, eventually, park, result, rows, status

from lampwork import (
    Answer,
    App,
    Budget,
    Call,
    Genie,
    Job,
    Project,
    SkillCall,
    TaskAnswer,
    Turn,
    playbook,
)
from lampwork.errors import (
    BudgetExceeded,
    BudgetNotEnforceable,
    InputInvalid,
    JobFailed,
    LampworkError,
    TaskDeadlineExceeded,
)
from lampwork.jobs_door import JobsDoor
from lampwork.models import Ask, Reply
from lampwork.place import Folder
from lampwork.store.reservations import Refused
from lampwork.store.store import Store
from lampwork.tasks.conversation import Hold
from lampwork.testing import FakeClock

from .conftest import Open

BRANCHES = 20


@playbook
def delegator(turn: Turn) -> Call | Answer:
    return Answer("all settled") if turn.results else Call(turn.skills[0])


def answering(turn: Turn) -> Answer:
    return Answer("done")


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


async def spent(app: App) -> dict[str, int]:
    columns = ("tokens", "nanodollars", "model_calls", "skill_calls")
    [row] = await rows(app, f"select {', '.join(f'spent_{each}' for each in columns)} from budgets")
    reserved = ("tokens", "nanodollars", "model_calls")
    sums = " + ".join(f"reserved_{each}" for each in reserved)
    assert await rows(app, f"select {sums} from budgets") == [(0,)]
    return dict(zip(columns, row, strict=True))


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


# --- one task ---


def working(turn: Turn) -> Call | Answer:
    """Acts twice, saying so, and answers."""
    return Call("note", text=f"part {turn.number}") if turn.number < 3 else Answer("done")


def one_genie(model: Any, **more: Any) -> tuple[Project, Genie]:
    project = Project("one")

    @project.skill(effect="idempotent")
    async def note(text: str) -> str:
        """Note something."""
        return f"noted {text}"

    return project, project.genie("clerk", model=model, job_description="", skills=[note], **more)


async def refused(app: App, genie: Genie, budget: Budget | None, code: str) -> dict[str, Any]:
    """What a task fails with."""
    with pytest.raises(JobFailed) as failed:
        await app.assign_task(genie, "Go.", budget=budget)
    assert failed.value.error["code"] == code
    return failed.value.error


async def test_a_task_that_meets_its_budget_fails_and_says_what_it_has_done(opened: Open) -> None:
    project, genie = one_genie(playbook(working))
    async with opened(project) as app:
        error = await refused(app, genie, Budget(model_calls=2), "budget_exceeded")
        assert await app.assign_task(genie, "Go.", budget=Budget(model_calls=3))
    fields = error["fields"]
    task = fields["task_id"]
    assert error["message"] == (
        f"The budget of task {task} allows 2 model calls, 2 model calls of it spent: the next "
        "model call does not fit. Give the task a larger budget, or less to do."
    )
    assert fields | {"spent": None} == {
        "limit": "model_calls",
        "budget": {"model_calls": 2},
        "budget_of": task,
        "spent": None,
        "partial": "",
        "actions": [
            {
                "call": f"{seq}.0",
                "skill": "note",
                "arguments": {"text": text},
                "status": "ok",
                "error": None,
                "result": f"noted {text}",
            }
            for seq, text in ((2, "part 1"), (5, "part 2"))
        ],
        "usage": {"requests": 2, "cost_nanodollars": 0},
        "task_id": task,
        "conversation_id": f"c{task[1:]}",
    }
    spent = {"tokens": 0, "dollars": 0.0, "model_calls": 2, "skill_calls": 2}
    assert fields["spent"] | spent == fields["spent"]


async def test_an_answer_that_spends_the_last_of_a_budget_is_an_answer(opened: Open) -> None:
    project, genie = one_genie(Metered(answering, used=(500, 500), longest=500))
    async with opened(project) as app:
        answer = await app.assign_task(genie, "Go.", budget=Budget(tokens=3_000, model_calls=1))
    assert answer.output == "done"
    assert answer.usage == {
        "requests": 1,
        "input_tokens": 500,
        "output_tokens": 500,
        "cost_nanodollars": 3_000_000,
    }


async def test_a_reply_that_is_cut_off_by_the_budget_is_no_answer(opened: Open) -> None:
    project, genie = one_genie(Metered(answering, used=(500, 5_000)))
    async with opened(project) as app:
        error = await refused(app, genie, Budget(tokens=4_000), "budget_exceeded")
    assert "the reply of the model was cut off there" in error["message"]
    assert error["fields"]["limit"] == "tokens"
    assert error["fields"]["partial"] == "done"
    assert error["fields"]["spent"]["tokens"] <= 4_000


async def test_a_genie_brings_a_budget_for_tasks_that_have_none(opened: Open) -> None:
    project, genie = one_genie(playbook(working), budget=Budget(skill_calls=1))
    async with opened(project) as app:
        error = await refused(app, genie, None, "budget_exceeded")
        assert error["fields"]["limit"] == "skill_calls"
        assert await app.assign_task(genie, "Go.", budget=Budget(skill_calls=2))


async def test_a_budget_may_be_large_and_much_of_it_spent(opened: Open) -> None:
    project, genie = one_genie(Metered(answering, used=(2_500_000_000, 10)))  # type: ignore[arg-type]
    async with opened(project) as app:
        answer = await app.assign_task(genie, "Go.", budget=Budget(dollars=5_000))
        spent = await rows(app, "select spent_tokens, spent_nanodollars from budgets")
    assert spent == [(2_500_000_010, 2_500_000_050_000)]
    assert answer.usage["cost_nanodollars"] == 2_500_000_050_000


async def test_money_is_not_limited_where_the_price_is_unknown(opened: Open) -> None:
    asked: list[Turn] = []
    project, genie = one_genie(Metered(asked.append, rates=None))  # type: ignore[arg-type]
    boss = project.genie(
        "boss", model=delegator, job_description="", skills=[delegating(project, genie)]
    )
    async with opened(project) as app:
        with pytest.raises(BudgetNotEnforceable, match=r"Say what it costs, Model\("):
            await app.assign_task(genie, "Go.", budget=Budget(dollars=1))
        answer = await app.assign_task(boss, "Go.", budget=Budget(dollars=1))
        assert await rows(app, "select count(*) from tasks") == [(1,)]
    [action] = answer.actions
    assert (action.status, asked) == ("error", [])
    assert "so a budget in dollars can't be kept" in str(action.error)


def delegating(project: Project, genie: Genie, name: str = "delegate", **terms: Any) -> Any:
    """A recipe, and so a skill, that gives a task to a genie."""

    @project.recipe(name=name)
    async def delegate(job: Job) -> str:
        return (await job.assign_task(genie, "Go on.", **terms)).output

    return delegate


@pytest.mark.parametrize("given", [Budget(tokens=1_000_000, model_calls=9), None])
async def test_a_child_gets_no_more_than_its_parent_has_left(
    opened: Open, given: Budget | None
) -> None:
    project, genie = one_genie(playbook(working))
    boss = project.genie(
        "boss",
        model=delegator,
        job_description="",
        skills=[delegating(project, genie, budget=given)],
    )
    async with opened(project) as app:
        answer = await app.assign_task(boss, "Go.", budget=Budget(model_calls=5))
        error = await refused(app, boss, Budget(model_calls=3), "budget_exceeded")
    assert answer.output == "all settled"
    [action] = error["fields"]["actions"]
    assert "allows 3 model calls, 3 model calls of it spent" in action["error"]


async def test_a_job_that_is_not_waited_for_spends_from_the_budget_above_it(opened: Open) -> None:
    project, genie = one_genie(playbook(working))

    @project.recipe()
    async def aside(job: Job) -> str:
        await job.wait_for("go", str)  # else which of the two spends first is open
        return (await job.assign_task(genie, "Go on.")).output

    @project.recipe()
    async def leave(job: Job) -> str:
        await job.start(aside)
        return "left"

    boss = project.genie("boss", model=delegator, job_description="", skills=[leave])
    async with opened(project) as app:
        answer = await app.assign_task(boss, "Go.", budget=Budget(model_calls=4))
        [(job,)] = await rows(app, "select id from jobs where detached")
        await app.send_event(job, "go", "now")
        with pytest.raises(JobFailed, match="allows 4 model calls, 4 model calls of it spent"):
            await app.result(job)
        assert (await spent(app))["model_calls"] == 4
    assert answer.usage["requests"] == 2


async def test_a_recipe_catches_the_error_and_a_replay_raises_the_same(opened: Open) -> None:
    project, genie = one_genie(playbook(working))
    caught: list[BudgetExceeded] = []

    @project.recipe()
    async def patient(job: Job) -> str:
        try:
            await job.assign_task(genie, "Go.", budget=Budget(model_calls=1))
        except BudgetExceeded as error:
            caught.append(error)
        return await job.wait_for("go", str)

    async with opened(project) as app:
        job = await app.start(patient)
        await park(app, job)
        await app.send_event(job, "go", "on")
        assert await result(app, job) == "on"
    first, again = caught
    assert first.to_record() == again.to_record()


async def test_a_budget_limits_how_deep_tasks_are_delegated(opened: Open) -> None:
    project, genie = one_genie(playbook(answering))
    middle = project.genie(
        "middle", model=delegator, job_description="", skills=[delegating(project, genie)]
    )

    async def errors_below(depth: int) -> list[str | None]:
        """What the skill calls of the two upper tasks failed with."""
        budget = Budget(depth=depth)
        answer = await app.assign_task(boss, "Go.", budget=budget)
        job = answer.task_id.partition(".")[0].replace("t", "j", 1)
        [below] = await rows(
            app,
            "select cast(body as text) from entries where kind = 'result' and task_id like :below",
            below=f"t{job[1:]}.1.%",
        ) or [("{}",)]
        error = json.loads(below[0]).get("error") or {}
        return [answer.actions[0].error, error.get("message")]

    given = Budget(depth=5)
    boss = project.genie(
        "boss",
        model=delegator,
        job_description="",
        skills=[delegating(project, middle, name="ask_middle", budget=given)],
    )
    async with opened(project) as app:
        assert await errors_below(3) == [None, None]
        upper, lower = await errors_below(2)
        assert upper is None
        assert (
            "boss → middle → clerk: by the budget of a task above, 2 tasks one below the other are "
            "the most. Let a genie further up do this, or start a job of its own for it."
        ) in str(lower)
        upper, lower = await errors_below(1)
        assert "boss → middle: by the budget of a task above, 1 task is the most." in str(upper)
        assert lower is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tokens": 0},
        {"tokens": 1.5},
        {"model_calls": True},
        {"dollars": float("nan")},
        {"dollars": -1},
        {"seconds": float("inf")},
        {"depth": 10**20},
    ],
)
def test_a_budget_that_is_none_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputInvalid):
        Budget(**given)


async def test_what_is_no_budget_is_refused(opened: Open) -> None:
    project, genie = one_genie(playbook(answering))
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match="is no Budget"):
            await app.assign_task(genie, "Go.", budget={"tokens": 5})  # type: ignore[typeddict-item]


# --- what a task that was stopped has used ---


@pytest.mark.folder
@pytest.mark.parametrize("budget", [Budget(tokens=50_000), None])
@pytest.mark.parametrize("dead", [False, True], ids=["live", "dead"])
async def test_a_cancelled_task_has_its_usage(
    opened: Open, tmp_path: Path, budget: Budget | None, dead: bool
) -> None:
    """Cancelled in the middle of its second model call, or after its process died there."""
    asked = threading.Event()

    async def slow(turn: Turn) -> Call:
        if turn.number == 2:
            asked.set()
            await asyncio.Event().wait()
        return Call("note", text="one")

    project, genie = one_genie(Metered(slow, used=(500, 100), longest=200))
    async with opened(project, grace=0.0) as app:
        job = await app.assign(genie, "Go.", budget=budget)
        await eventually(asked.is_set)
        crashed = shutil.copytree(tmp_path / "state", tmp_path / "crashed")
        if not dead:
            await app.cancel(job)
            await is_counted(app, job)
    if dead:
        store = await asyncio.to_thread(Store, Folder(crashed))
        await JobsDoor(store).cancel(job)
        await asyncio.to_thread(store.close)
        async with project.open(crashed) as app:
            await is_counted(app, job)


async def is_counted(app: App, job: str) -> None:
    await status(app, job, "cancelled")
    [(status_of_task, text, budget)] = await rows(app, "select status, usage, budget_id from tasks")
    usage = json.loads(text)
    assert status_of_task == "cancelled"
    assert (usage["requests"], usage["estimated_requests"]) == (2, 1)
    tokens = usage["input_tokens"] + usage["output_tokens"]
    assert tokens == 600 + usage["estimated_tokens"] > 1_400
    if budget is not None:
        assert (await spent(app))["tokens"] == tokens


@pytest.mark.parametrize(
    ("budget", "why"),
    [
        (Budget(tokens=100), r"at least 64 for the response\. Give"),
        (Budget(dollars=0.000001), r"at least 64 for the response, \$0\.\d+ together\. Give"),
    ],
)
async def test_a_budget_that_is_too_small_says_what_would_have_fitted(
    opened: Open, budget: Budget, why: str
) -> None:
    project, genie = one_genie(Metered(answering, longest=4_000))
    async with opened(project) as app:
        error = await refused(app, genie, budget, "budget_exceeded")
    needs = r"the next model call may not fit: it needs about [\d,]+ tokens for the request and "
    assert re.search(needs + why, error["message"]), error["message"]


async def test_a_budget_of_one_call_is_spoken_of_as_one(opened: Open) -> None:
    project, genie = one_genie(playbook(working))
    async with opened(project) as app:
        error = await refused(app, genie, Budget(model_calls=1), "budget_exceeded")
    assert "allows 1 model call, 1 model call of it spent: the next" in error["message"]
