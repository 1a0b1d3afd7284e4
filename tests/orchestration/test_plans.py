"""Any valid plan finishes, and nothing starts before its inputs; one with a cycle is refused."""

from __future__ import annotations

import graphlib
import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests import support
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, lead, subtask

from lampwork import (
    Answer,
    Budget,
    Call,
    CannotComplete,
    OrchestrationLimits,
    Project,
    Turn,
    playbook,
)
from lampwork.insights import Insights
from lampwork.orchestrators.plan import Subtask, problems_of

IDS = [f"s{n}" for n in range(6)]


@st.composite
def edges(draw: st.DrawFn) -> dict[str, list[str]]:
    """What each of some subtasks waits for, whatever comes of it."""
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, unique=True))
    before = st.lists(st.sampled_from(ids), unique=True, max_size=3)
    return {each: [one for one in draw(before) if one != each] for each in ids}


@given(edges())
@settings(max_examples=50)
def test_exactly_the_plans_with_a_cycle_are_refused(before: dict[str, list[str]]) -> None:
    project = Project("desk")
    leader = lead(project, [agent(project, "worker")])
    plan = [
        Subtask.model_validate(subtask(id, "worker", depends_on=sources))
        for id, sources in before.items()
    ]
    try:
        list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError:
        [problem] = problems_of(plan, leader.team)
        path = problem.removeprefix("these wait for each other: ").split(" → ")
        assert path[0] == path[-1]
        for one, other in itertools.pairwise(path):
            assert other in before[one]
    else:
        assert problems_of(plan, leader.team) == []


@st.composite
def plans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A valid plan: each waits for earlier ones only, and some fail."""
    plan: list[dict[str, Any]] = []
    for id in IDS[: draw(st.integers(1, len(IDS)))]:
        before = [each["id"] for each in plan]
        sources = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        plan.append(
            subtask(
                id,
                draw(st.sampled_from(["able", "unable"])),
                inputs=[{"name": each, "subtask": each} for each in sources],
                fallbacks=draw(st.sampled_from([[], ["spare"]])),
                required=draw(st.booleans()),
                budget_share=draw(st.sampled_from([None, 1 / len(IDS)])),
            )
        )
    return draw(st.permutations(plan))


def some_plans() -> list[list[dict[str, Any]]]:
    """Drawn before anything runs: hypothesis wants nobody beside it to use `random`."""
    drawn: list[list[dict[str, Any]]] = []

    @given(plans())
    @settings(max_examples=12)
    def draw(plan: list[dict[str, Any]]) -> None:
        drawn.append(plan)

    draw()
    return drawn


async def test_any_valid_plan_finishes_and_nothing_starts_before_its_inputs(opened: Open) -> None:
    drawn, project = some_plans(), Project("desk")
    ended: list[str] = []
    early: list[str] = []

    def able(turn: Turn) -> Answer:
        given = {id: each for id, each in (turn.data or {}).items() if id in IDS}
        early.extend(id for id, each in given.items() if each == "done" and id not in ended)
        early.extend(id for id, each in given.items() if each != "done" and "missing" not in each)
        ended.append(turn.instructions.removeprefix("do "))
        return Answer("done")

    def unable(turn: Turn) -> CannotComplete:
        ended.append(turn.instructions.removeprefix("do "))
        return CannotComplete("never")

    @playbook
    def leading(turn: Turn) -> Call | Answer:
        return Answer("done") if turn.results else Call("plan", subtasks=turn.data)

    team = [agent(project, "able", able), agent(project, "unable", unable)]
    project.orchestrator(
        "lead",
        model=leading,
        job_description="",
        agents=[*team, agent(project, "spare", able)],
        limits=OrchestrationLimits(parallel=2, set_aside_after=100),
    )

    async with opened(project) as app:
        for plan in drawn:
            ended.clear()
            job_id = await app.assign("lead", "Go.", data=plan, budget=Budget(model_calls=60))
            await support.status(app, job_id, "succeeded", "failed")
            found = await Insights(app.store).orchestration(job_id)
            assert {each.subtask: each.status for each in found.subtasks} == outcomes(plan)
            assert found.status == ("answered" if is_whole(plan) else "failed"), plan
            assert early == []


def outcomes(plan: list[dict[str, Any]]) -> dict[str, str]:
    """What must become of each subtask."""
    by_id = {each["id"]: each for each in plan}

    def outcome(id: str) -> str:
        of = by_id[id]
        for source in (by_id[each["subtask"]] for each in of["inputs"]):
            if source["required"] and outcome(source["id"]) != "succeeded":
                return "skipped"
        return "succeeded" if of["agent"] == "able" or of["fallbacks"] else "failed"

    return {id: outcome(id) for id in by_id}


def is_whole(plan: list[dict[str, Any]]) -> bool:
    """Whether the result lacks nothing that is required, and is something."""
    found = outcomes(plan)
    lacking = any(each["required"] and found[each["id"]] != "succeeded" for each in plan)
    return not lacking and "succeeded" in found.values()
