"""An answer is accepted when it has what others need, and the checks of its subtask let it pass."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, ends_with, lead, subtask

from lampwork import (
    Answer,
    Call,
    CannotComplete,
    CheckCall,
    File,
    Project,
    SkillCall,
    TaskAnswer,
    Turn,
)
from lampwork.errors import ArtifactNotFound, OrchestrationPartial, ProjectError
from lampwork.insights import Insights


async def test_a_check_sees_what_its_agent_was_given_and_what_it_has_produced(opened: Open) -> None:
    project = Project("desk")
    seen: list[Any] = []

    @project.acceptance_check
    async def whole(answer: TaskAnswer[str], call: CheckCall) -> str | None:
        """It is whole."""
        files = [(await call.read_file(name)).decode() for name in ("po.txt", "copy.txt")]
        seen.append((call.subtask.id, call.inputs, files))
        with pytest.raises(ArtifactNotFound, match=r'"other.txt"\. It has: po.txt, copy.txt'):
            await call.read_file("other.txt")
        return None if answer.output == "copied" else "no"

    @project.skill(effect="idempotent")
    async def copy(call: SkillCall) -> str:
        """Copy."""
        call.save_artifact("copy.txt", await call.read_file("po.txt"), "text/plain")
        return "copied"

    def copying(turn: Turn) -> Any:
        return Answer("copied") if turn.results else Call(copy)

    given = [{"name": "order", "file": "po.txt"}, {"name": "on", "request": "data"}]
    plan = [subtask("copy", "copyist", inputs=given, checks=["whole"])]
    leader = lead(project, [agent(project, "copyist", copying, skills=[copy])], plan)
    async with opened(project) as app:
        await app.assign_task(leader, "Go.", data=7, files=[File("po.txt", b"4 pens")])

    assert seen == [("copy", {"order": {"file": "po.txt"}, "on": 7}, ["4 pens", "4 pens"])]


async def test_what_checks_say_at_length_leaves_the_rest_of_the_plan_what_it_is(
    opened: Open,
) -> None:
    project = Project("desk")

    @project.acceptance_check
    def short(answer: TaskAnswer[str]) -> str | None:
        """It is short."""
        return "too long: " + "x" * 150_000

    plan = [subtask("good", "worker"), subtask("bad", "worker", checks=["short"], required=False)]
    plan += [plan[1] | {"id": "worse"}]
    leader = lead(project, [agent(project, "worker")], plan)
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.")
        ledger = await Insights(app.store).orchestration(task.task_id)

    assert task.response == "good succeeded, bad failed, worse failed"
    [reason] = ledger.subtasks[1].reasons
    assert reason.startswith("worker: too long: xxx")
    assert reason.endswith("…")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("half of a pair: \ud83d", "half of a pair: \\ud83d."),
        ("no text: \0", "no text: \\x00."),
        ("x" * 70_000_000, f"{'x' * 20_000} …."),
        (itertools.repeat("again"), "; ".join(["again"] * 100) + "."),
    ],
    ids=["surrogate", "nul", "huge", "endless"],
)
async def test_a_check_may_say_what_no_record_can_hold(opened: Open, said: Any, told: str) -> None:
    project = Project("desk")
    asked: list[str] = []

    @project.acceptance_check
    def picky(answer: TaskAnswer[str]) -> Any:
        """It is as it should be."""
        return None if answer.output == "better" else said

    def answering(turn: Turn) -> Answer:
        asked.append(turn.instructions)
        return Answer("better" if turn.instructions.startswith("Your answer") else "first")

    plan = [subtask("good", "worker"), subtask("bad", "worker", checks=["picky"])]
    leader = lead(project, [agent(project, "worker", answering)], plan)
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.")

    assert task.response == "good succeeded, bad succeeded"
    again = [each for each in asked if each not in ("do good", "do bad")]
    assert again == [f"Your answer was not accepted: {told} Mend that, and answer again."]


class Odd(BaseException):
    """As a library may raise to get past every `except Exception`."""


@pytest.mark.parametrize("error", [GeneratorExit, Odd, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_check_that_raises_what_is_no_exception_could_not_judge_it(
    opened: Open, error: type[BaseException], in_thread: bool
) -> None:
    project = Project("desk")

    if in_thread:

        @project.acceptance_check
        def unruly(answer: TaskAnswer[str]) -> str | None:
            """It gives up."""
            raise error("no")

    else:

        @project.acceptance_check
        async def unruly(answer: TaskAnswer[str]) -> str | None:
            """It gives up."""
            raise error("no")

    plan = [subtask("good", "worker"), subtask("bad", "worker", checks=["unruly"], required=False)]
    leader = lead(project, [agent(project, "worker")], plan)
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.")
        ledger = await Insights(app.store).orchestration(task.task_id)

    assert task.response == "good succeeded, bad failed"
    [reason] = ledger.subtasks[1].reasons
    assert 'check "unruly" could not judge it' in reason
    assert error.__name__ in reason


async def test_what_a_judge_says_that_no_text_can_hold_is_told_all_the_same(opened: Open) -> None:
    project = Project("desk")

    def answering(turn: Turn) -> Answer:
        return Answer("better" if turn.instructions.startswith("Your answer") else "first")

    def judging(turn: Turn) -> Answer:
        return Answer({"accepted": turn.data["answer"] == "better", "reasons": ["not \0 so"]})

    plan = [subtask("a", "worker", rubric="It is better.")]
    team = [agent(project, "worker", answering)]
    leader = lead(project, team, plan, judge=agent(project, "judge", judging))
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.")

    assert task.response == "a succeeded"


def test_a_check_takes_an_answer_and_no_more_than_a_call() -> None:
    project = Project("desk")

    def both(answer: Any, other: Any) -> None: ...

    with pytest.raises(ProjectError, match='Acceptance check "both" must take the TaskAnswer'):
        project.acceptance_check(both)


async def test_who_is_asked_again_still_has_what_it_was_given(opened: Open) -> None:
    project = Project("desk")
    seen: list[Any] = []

    @project.acceptance_check
    def second(answer: TaskAnswer[str]) -> str | None:
        """It is the second one."""
        return None if answer.output == "2" else "not the second"

    def count(turn: Turn) -> Answer:
        seen.append((turn.data, [each.name for each in turn.files]))
        return Answer(f"{len(seen)}")

    given = [{"name": "order", "file": "po.txt"}, {"name": "on", "request": "data"}]
    plan = [subtask("count", "counter", inputs=given, checks=["second"])]
    leader = lead(project, [agent(project, "counter", count)], plan)
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.", data=7, files=[File("po.txt", b"4 pens")])

    assert [each.output for each in task.sections] == ["2"]
    assert seen == [({"order": {"file": "po.txt"}, "on": 7}, ["po.txt"])] * 2


async def test_a_file_that_others_are_given_has_to_be_there(opened: Open) -> None:
    project = Project("desk")

    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> str:
        """Draw."""
        call.save_artifact("chart.txt", b"drawn", "text/plain")
        return "drawn"

    def forgetful(turn: Turn) -> Any:
        again = "there is no file chart.txt" in turn.instructions
        return Call(draw) if again and not turn.results else Answer("drawn")

    agents = [agent(project, "artist", forgetful, skills=[draw]), agent(project, "reader")]
    inputs = [{"name": "chart", "subtask": "chart", "artifact": "chart.txt"}]
    plan = [subtask("chart", "artist"), subtask("read", "reader", inputs=inputs)]
    leader = lead(project, agents, plan)
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.")
        ledger = await Insights(app.store).orchestration(task.task_id)

    assert [each.name for each in task.artifacts] == ["chart.txt"]
    assert [(each.why, each.status) for each in ledger.subtasks[0].attempts] == [
        ("first", "rejected"),
        ("asked_again", "accepted"),
    ]


async def test_a_revision_may_not_give_what_was_not_saved(opened: Open) -> None:
    project = Project("desk")
    agents = [agent(project, "able"), agent(project, "unable", lambda _: CannotComplete("no data"))]
    plan = [subtask("good", "able"), subtask("bad", "unable")]

    def revise(turn: Turn) -> Any:
        if len(turn.results) > 1:
            return Answer(turn.results[-1].error)
        inputs = [{"name": "x", "subtask": "good", "artifact": "x.txt"}]
        return Call("revise", reason="so", subtasks=[subtask("bad", "able", inputs=inputs)])

    leader = lead(project, agents, plan, then=revise)
    async with opened(project) as app:
        with ends_with(OrchestrationPartial) as raised:
            await app.assign_task(leader, "Go.")

    said = 'subtask "bad": input "x": nothing produces the file "x.txt"; subtask "good" has saved'
    assert said in raised.error.partial
