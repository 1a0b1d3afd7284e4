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
    Turn,
    playbook,
)
from lampwork.errors import (
    BudgetExceeded,
    BudgetNotEnforceable,
    InputInvalid,
    JobFailed,
)
from lampwork.jobs_door import JobsDoor
from lampwork.place import Folder
from lampwork.store.store import Store

from .budgeted import answering, delegator, spent
from .conftest import Open


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
