"""An orchestrator makes a plan before all else; one that can't be carried out goes back to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, ends_with, lead, subtask

from lampwork import (
    Answer,
    Call,
    Calls,
    CannotComplete,
    OrchestrationLimits,
    Plan,
    Project,
    Subtask,
    SubtaskInput,
    Turn,
    playbook,
)
from lampwork.errors import OrchestrationFailed, OutputInvalid, PlanInvalid
from lampwork.models import Playbook


class Total(BaseModel):
    cents: int


async def test_the_author_may_make_the_plan(opened: Open) -> None:
    project = Project("desk")
    data, writer = agent(project, "data", lambda _: Answer({"cents": 7})), agent(project, "writer")
    plan = Plan(
        subtasks=[
            Subtask(id="orders", title="Orders", agent=data, brief="count", output=Total),
            Subtask(
                id="text",
                title="Text",
                agent=writer,
                brief="write",
                inputs=[SubtaskInput(name="cents", subtask="orders", field="cents")],
            ),
        ]
    )
    leader = lead(project, [data, writer], plan=plan)
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.")

    assert [(each.subtask, each.output) for each in task.sections] == [
        ("orders", {"cents": 7}),
        ("text", "writer: write"),
    ]
    assert task.response == "orders succeeded, text succeeded"


async def test_it_may_not_answer_before_its_agents_have_worked(opened: Open) -> None:
    project = Project("desk")
    told: list[Any] = []

    @playbook
    def shirk(turn: Turn) -> Answer:
        told.append(turn.feedback)
        return Answer("I have done it all myself.")

    worker = agent(project, "worker")
    leader = project.orchestrator("lead", model=shirk, job_description="", agents=[worker])
    async with opened(project) as app:
        with ends_with(OutputInvalid):
            await app.assign_task(leader, "Go.")

    assert told[0] == ()
    assert "call `plan` first" in told[1][0]


def stubborn(told: list[str], *subtasks: dict[str, Any]) -> Playbook:
    """A model that plans the same again and again; `told` is why it may not."""

    @playbook
    def planner(turn: Turn) -> Call:
        told.extend(each.error or "" for each in turn.results[-1:])
        return Call("plan", subtasks=list(subtasks))

    return planner


async def test_an_invalid_plan_goes_back_with_reasons_a_few_times(opened: Open) -> None:
    project = Project("desk")
    told: list[str] = []
    worker = agent(project, "worker")

    model = stubborn(told, subtask("a", "wroker"), subtask("a", "worker"))
    leader = project.orchestrator("lead", model=model, job_description="", agents=[worker])
    async with opened(project) as app:
        with ends_with(PlanInvalid) as raised:
            await app.assign_task(leader, "Go.")

    assert len(told) == 2
    for each in (told[0], raised.error.message):
        assert 'two subtasks have the id "a"' in each
        assert 'subtask "a": there is no agent "wroker". Did you mean "worker"?' in each


@pytest.mark.parametrize("attempts", [3, 4])
async def test_so_does_a_plan_that_asks_for_what_the_request_has_not(
    opened: Open, attempts: int
) -> None:
    project = Project("desk")
    told: list[str] = []
    worker = agent(project, "worker")

    source = {"name": "shop", "request": "data", "field": "shop"}
    model = stubborn(told, {**subtask("a", "worker"), "inputs": [source]})
    limits = OrchestrationLimits(plan_attempts=attempts)
    leader = project.orchestrator(
        "lead", model=model, job_description="", agents=[worker], limits=limits
    )
    async with opened(project) as app:
        with ends_with(PlanInvalid) as raised:
            await app.assign_task(leader, "Go.")

    assert len(told) == attempts - 1
    assert f"in {attempts} attempts" in raised.error.message
    assert 'the request has no field "shop" in its data' in raised.error.message


async def test_what_a_model_writes_as_the_type_of_an_output_is_no_code(
    opened: Open, tmp_path: Path
) -> None:
    project, ran = Project("desk"), tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(ran)!r}).touch() or int"

    plan = [subtask("a", "worker", output=code)]

    def again(_: Turn) -> Call:
        return Call("plan", subtasks=plan)

    leader = lead(project, [agent(project, "worker")], plan, then=again)
    async with opened(project) as app:
        with ends_with(PlanInvalid, match="is no type. Give a type itself, or a JSON Schema"):
            await app.assign_task(leader, "Go.")

    assert not ran.exists()


async def test_a_plan_of_the_author_that_lacks_something_of_the_request_ends_with_that(
    opened: Open,
) -> None:
    project, asked = Project("desk"), list[str]()

    def then(turn: Turn) -> Answer:
        asked.append(turn.instructions)
        return Answer("done")

    given = [SubtaskInput(name="orders", file="orders.csv")]
    plan = Plan(subtasks=[Subtask(id="a", title="A", agent="worker", brief="do", inputs=given)])
    leader = lead(project, [agent(project, "worker")], then=then, plan=plan)
    async with opened(project) as app:
        with ends_with(PlanInvalid, match=r'The plan= of .* no file "orders\.csv"'):
            await app.assign_task(leader, "Go.")

    assert asked == []


async def test_a_plan_of_nothing_is_none_and_a_revision_drops_not_everything(
    opened: Open,
) -> None:
    project, told = Project("desk"), list[str]()
    plan = [subtask("a", "unable")]

    def then(turn: Turn) -> Any:
        told.append(turn.results[-1].error or "")
        match len(turn.results):
            case 1:
                return Call("plan", subtasks=plan)
            case 2:
                return Call("revise", reason="none of it", subtasks=[], drop=["a"])
            case _:
                return Answer("done")

    leader = lead(
        project, [agent(project, "unable", lambda _: CannotComplete("no data"))], then=then
    )
    async with opened(project) as app:
        with ends_with(OrchestrationFailed):
            await app.assign_task(leader, "Go.")

    assert [each.count("a plan has at least one subtask") for each in told] == [1, 0, 1]


async def test_two_plans_of_one_reply_are_taken_one_at_a_time(opened: Open) -> None:
    project = Project("desk")
    worker = agent(project, "worker")

    @playbook
    def hasty(turn: Turn) -> Any:
        if turn.results:
            return Answer(" / ".join(str(each.error) for each in turn.results))
        plan = Call("plan", subtasks=[subtask("a", "worker")])
        return Calls(plan, plan)

    leader = project.orchestrator("lead", model=hasty, job_description="", agents=[worker])
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.")

    assert task.response == "None"
    assert [each.skill for each in task.actions] == ["plan"]
    assert len(task.sections) == 1
