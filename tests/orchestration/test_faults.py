"""Whatever goes wrong with an agent, its subtask ends as it should, with the right ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, ends_with, lead, of, subtask, summary

from lampwork import (
    Answer,
    Budget,
    Call,
    CannotComplete,
    OrchestrationLimits,
    Project,
    TaskAnswer,
    Turn,
    clock,
)
from lampwork.errors import ModelUnavailable, OrchestrationFailed, OrchestrationPartial
from lampwork.insights import Insights
from lampwork.testing import FakeClock
from lampwork.views import SubtaskView

stopped = FakeClock()


@pytest.fixture(autouse=True)
def _no_time_passes() -> Iterator[None]:
    """But what an agent lets pass: each has as much as it needs, on a busy machine too."""
    stopped.bind(lambda moving: moving, lambda: asyncio.sleep(0))
    with clock.using(stopped):
        yield


class Total(BaseModel):
    cents: int


def raises(project: Project) -> Any:
    @project.skill(effect="read", give_up_after=1)
    def broken() -> None:
        """Break."""
        raise ValueError("broken")

    return agent(project, "faulty", lambda _: Call(broken), skills=[broken])


def times_out(project: Project) -> Any:
    async def hang(_: Turn) -> Answer:
        await stopped.advance(seconds=60, while_executing=True)
        await asyncio.Event().wait()
        return Answer("never")

    return agent(project, "faulty", hang)


def gives_no_valid_output(project: Project) -> Any:
    return agent(project, "faulty", lambda _: Answer({"cents": "many"}))


def fails_a_check(project: Project) -> Any:
    return agent(project, "faulty", lambda _: Answer({"cents": -1}))


def overspends(project: Project) -> Any:
    @project.skill(effect="read")
    def look() -> None:
        """Look."""

    return agent(
        project, "faulty", lambda _: Call(look), skills=[look], budget=Budget(model_calls=2)
    )


def breaks_its_model(project: Project) -> Any:
    def down(_: Turn) -> Answer:
        raise ModelUnavailable("down")

    return agent(project, "faulty", down)


def has_a_mistake(project: Project) -> Any:
    return agent(project, "faulty", lambda turn: Answer(turn.data["cents"]))


def can_not_complete(project: Project) -> Any:
    return agent(project, "faulty", lambda _: CannotComplete("no data"))


def is_paused(project: Project) -> Any:
    return agent(project, "faulty", lambda _: Answer({"cents": 1}))


ASKED_AGAIN = [("faulty", "first", "rejected"), ("faulty", "asked_again", "rejected")]
RETRIED = [("faulty", "first", "failed"), *[("faulty", "retried", "failed")] * 2]
ONCE = [("faulty", "first", "failed")]

FAULTS: list[tuple[Callable[[Project], Any], dict[str, Any], Any, str]] = [
    (raises, {}, RETRIED, "broken"),
    (times_out, {"seconds": 60}, RETRIED, "deadline"),
    (gives_no_valid_output, {}, ONCE, "no valid answer"),
    (fails_a_check, {}, ASKED_AGAIN, "a total is not negative"),
    (is_paused, {}, ONCE, "paused"),
    (overspends, {}, ONCE, "allows 2 model calls"),
    (breaks_its_model, {}, RETRIED, "down"),
    (has_a_mistake, {}, ONCE, "playbook:play raised TypeError"),
    (can_not_complete, {}, ONCE, "no data"),
]


def team(fault: Callable[[Project], Any], more: dict[str, Any]) -> Project:
    """A project with an orchestrator for each column of the table."""
    project = Project("desk")

    @project.acceptance_check
    def positive(answer: TaskAnswer[Any]) -> str | None:
        """A total is not negative."""
        return "a total is not negative" if answer.output["cents"] < 0 else None

    able = agent(project, "able", lambda _: Answer({"cents": 7}))
    agents = [able, fault(project)]
    for fallback in (True, False):
        for required in (True, False):
            bad = subtask(
                "bad",
                "faulty",
                output=Total.model_json_schema(),
                checks=["positive"],
                required=required,
                fallbacks=["able"] if fallback else [],
                **more,
            )
            lead(
                project,
                agents,
                [subtask("good", "able"), bad],
                name=f"{fallback}-{required}",
                limits=OrchestrationLimits(backoff=0),
            )
    return project


@pytest.mark.parametrize(
    ("fault", "more", "tried", "why"), FAULTS, ids=[each[0].__name__ for each in FAULTS]
)
async def test_each_fault_ends_as_it_should(
    opened: Open,
    fault: Callable[[Project], Any],
    more: dict[str, Any],
    tried: list[tuple[str, str, str]],
    why: str,
) -> None:
    project = team(fault, more)
    async with opened(project) as app:
        if fault is is_paused:
            await app.pause_genie("faulty", by="ada")

        async def ledger(task_id: str) -> SubtaskView:
            found = await Insights(app.store).orchestration(task_id)
            good, bad = found.subtasks
            assert good.status == "succeeded"  # its sibling never suffers
            return bad

        for required in (True, False):
            answer = await app.assign_task(f"True-{required}", "Go.")
            bad = await ledger(answer.task_id)
            assert [each.agent for each in answer.sections] == ["able", "able"]
            assert bad.status == "succeeded"
            took_over = ("able", "fallback", "accepted")
            assert [(each.agent, each.why, each.status) for each in bad.attempts] == [
                *tried,
                took_over,
            ]
            assert why in bad.attempts[-2].reasons[0]

        with ends_with(OrchestrationPartial) as ended:
            await app.assign_task("False-True", "Go.")
        [missing] = ended.error.missing
        assert missing["subtask"] == "bad"
        assert why in missing["reasons"][0]

        answer = await app.assign_task("False-False", "Go.")
        assert [each.subtask for each in answer.sections] == ["good"]
        for task_id in (ended.error.task_id, answer.task_id):
            bad = await ledger(task_id)
            assert bad.status == "failed"
            assert why in bad.reasons[0]
            assert [(each.agent, each.why, each.status) for each in bad.attempts] == tried


def payment_that_hangs(project: Project, paid: list[str]) -> Any:
    """A skill that has paid, and is then cut off by the time of its task."""

    @project.skill(effect="at_most_once")
    async def pay(what: str) -> str:
        """Pay."""
        paid.append(what)
        await stopped.advance(seconds=60, while_executing=True)
        await asyncio.Event().wait()
        return "never"

    return pay


async def test_nobody_tries_again_while_nobody_knows_what_an_effect_has_come_to(
    opened: Open,
) -> None:
    """Its time is up, an agent and a fallback are left, and other rounds follow."""
    project = Project("desk")
    paid: list[str] = []

    pay = payment_that_hangs(project, paid)

    def paying(turn: Turn) -> Answer | Call:
        return Answer("paid") if len(paid) > 2 else Call(pay, what=turn.instructions)

    def then(turn: Turn) -> Answer | Call:
        found = of(turn)["a"]
        seen.append((found["status"], [each["skill"] for each in found.get("effects", [])]))
        match len(turn.results):
            case 1:
                return Call("revise", reason="more", subtasks=[subtask("c", "able")])
            case 2:
                return Call("delegate", subtask="a", agent="other")
            case _:
                return Answer(summary(turn))

    seen: list[Any] = []
    team = [agent(project, name, paying, skills=[pay]) for name in ("payer", "other")]
    plan = [
        subtask("a", "payer", seconds=60, fallbacks=["other"], required=False),
        subtask("b", "able", depends_on=["a"]),
    ]
    limits = OrchestrationLimits(backoff=0)
    leader = lead(project, [*team, agent(project, "able")], plan, then=then, limits=limits)
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.")
        found = await Insights(app.store).orchestration(task.task_id)

    assert paid == ["do a", "do a"]  # the second time because the orchestrator has decided so
    assert seen == [("failed", ["pay"])] * 3
    assert task.response == "a failed, b succeeded, c succeeded"
    assert [(each.agent, each.why, each.status) for each in found.subtasks[0].attempts] == [
        ("payer", "first", "failed"),
        ("other", "chosen", "failed"),
    ]


async def test_nor_does_who_stands_in_for_an_orchestrator_below_which_it_is_unknown(
    opened: Open,
) -> None:
    project = Project("desk")
    paid: list[str] = []

    pay = payment_that_hangs(project, paid)

    def paying(turn: Turn) -> Call:
        return Call(pay, what=turn.instructions)

    payer = agent(project, "payer", paying, skills=[pay])
    inner = lead(project, [payer], [subtask("x", "payer", seconds=60)], name="inner")
    plan = [subtask("a", "inner", fallbacks=["payer"])]
    leader = lead(project, [inner, payer], plan)
    async with opened(project) as app:
        with ends_with(OrchestrationFailed) as ended:
            await app.assign_task(leader, "Go.")

    assert paid == ["do x"]
    assert [each["skill"] for each in ended.error.effects] == ["pay"]
