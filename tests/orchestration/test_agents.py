"""The agents of an orchestrator: what they are given; and one may have agents of its own."""

from __future__ import annotations

from typing import Any

import pytest
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, ends_with, lead, subtask

from lampwork import (
    Answer,
    Call,
    File,
    Genie,
    Metadata,
    Plan,
    Project,
    Sealed,
    SkillCall,
    Subtask,
    TaskAnswer,
    Turn,
)
from lampwork.errors import MetadataUnknown, OrchestrationPartial
from lampwork.insights import Insights


def artist(project: Project) -> Genie:
    """One that saves two files and answers with a title."""

    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> str:
        """Draw."""
        call.save_artifact("chart.csv", b"a,b\n1,2\n", "text/csv")
        call.save_artifact("notes.txt", b"noted", "text/plain")
        return "drawn"

    def decide(turn: Turn) -> Answer | Call:
        return Answer({"title": "T"}) if turn.results else Call(draw)

    return agent(project, "artist", decide, skills=[draw])


async def test_inputs_are_of_the_request_its_files_and_what_others_produced(opened: Open) -> None:
    project = Project("desk")
    seen: dict[str, Any] = {}

    def look(turn: Turn) -> Answer:
        seen[turn.instructions] = turn.data, sorted(each.name for each in turn.files)
        return Answer("seen")

    reader = agent(project, "reader", look)
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}

    def reading(id: str, *inputs: dict[str, str]) -> dict[str, Any]:
        return subtask(id, "reader", inputs=[*inputs])

    plan = [
        subtask("chart", "artist", output=schema),
        reading(
            "request",
            {"name": "what", "request": "instructions"},
            {"name": "on", "request": "data"},
            {"name": "order", "file": "po.txt"},
        ),
        reading("whole", {"name": "c", "subtask": "chart"}),
        reading("field", {"name": "c", "subtask": "chart", "field": "title"}),
        reading("file", {"name": "c", "subtask": "chart", "artifact": "notes.txt"}),
    ]
    leader = lead(project, [artist(project), reader], plan)
    async with opened(project) as app:
        task = await app.assign_task(
            leader, "Go.", data={"quarter": 2}, files=[File("po.txt", b"4 pens")]
        )

    assert seen == {
        "do request": (
            {"what": "Go.", "on": {"quarter": 2}, "order": {"file": "po.txt"}},
            ["po.txt"],
        ),
        "do whole": ({"c": {"title": "T"}}, ["chart.csv", "notes.txt"]),
        "do field": ({"c": "T"}, []),
        "do file": ({"c": {"file": "notes.txt"}}, ["notes.txt"]),
    }
    assert sorted(each.name for each in task.artifacts) == ["chart.csv", "notes.txt"]


@pytest.mark.parametrize("answer", [None, [1, 2], "a text"])
async def test_an_output_that_is_no_object_has_no_fields_and_stops_nobody(
    opened: Open, answer: Any
) -> None:
    project = Project("desk")
    got: list[Any] = []

    def take(turn: Turn) -> Answer:
        got.append(turn.data)
        return Answer("taken")

    maybe = {"properties": {"cents": {"type": "integer"}}}  # says nothing of what is no object
    plan = [
        subtask("a", "odd", output=maybe),
        subtask("b", "taker", inputs=[{"name": "cents", "subtask": "a", "field": "cents"}]),
        subtask("c", "taker"),
    ]
    team = [agent(project, "odd", lambda _: Answer(answer)), agent(project, "taker", take)]
    async with opened(project) as app:
        task = await app.assign_task(lead(project, team, plan), "Go.")

    assert task.response == "a succeeded, b succeeded, c succeeded"
    assert {"cents": {"missing": "A has no field cents"}} in got


async def test_metadata_reaches_those_agents_that_the_author_names(opened: Open) -> None:
    project = Project("desk")
    got: list[Any] = []

    @project.skill(effect="read")
    def look(shop: Metadata[str], key: Metadata[str] = "none") -> str:
        """Look."""
        got.append((shop, key))
        return "found"

    def ask(turn: Turn) -> Any:
        return Answer("done") if turn.results else Call(look)

    def blind(turn: Turn) -> Any:
        return Answer(f"{turn.skills}")

    one = agent(project, "one", ask, skills=[look])
    other = agent(project, "other", blind, skills=[look])
    plan = [subtask("a", "one"), subtask("b", "other")]
    leader = lead(project, [one, other], plan, pass_metadata={one: ["shop", "key"]})
    async with opened(project) as app:
        given = {"shop": "Emma", "key": Sealed("K-12345678")}
        task = await app.assign_task(leader, "Go.", metadata=given)
        inside = await Insights(app.store).task(task.sections[0].task_id)
        with pytest.raises(MetadataUnknown):
            await app.assign_task(leader, "Go.", metadata={"till": "7"})

    assert got == [("Emma", "K-12345678")]
    assert task.sections[1].output == "()"
    assert inside.metadata == {"shop": "Emma", "key": "K-12345678"}


async def test_an_orchestrator_may_be_the_agent_of_another(opened: Open) -> None:
    project = Project("desk")
    worker = agent(project, "worker")
    inner = lead(project, [worker], [subtask("deep", "worker")], name="inner")
    outer = lead(project, [inner], [subtask("wide", "inner")], name="outer")
    async with opened(project) as app:
        task = await app.assign_task(outer, "Go.")
        inside = await Insights(app.store).task(task.sections[0].task_id)
        ledger = await Insights(app.store).orchestration(task.task_id)

    [wide] = ledger.subtasks
    [attempt] = wide.attempts
    assert attempt.usage == wide.usage == {"requests": 2 + 1, "cost_nanodollars": 0}  # all below
    assert ledger.usage["requests"] == 2 + 3
    assert task.sections[0].agent == "inner"
    assert task.sections[0].output == "deep succeeded"
    assert inside.answer is not None
    assert inside.answer["sections"][0]["agent"] == "worker"


async def test_no_model_reads_what_is_sealed_of_what_an_agent_has_answered(opened: Open) -> None:
    """Nor those that the plan gives it to, nor the judge, nor who is asked again with it."""
    project = Project("desk")
    read: list[Any] = []
    used: list[str] = []

    @project.skill(effect="read")
    def look(key: Metadata[str]) -> str:
        """Look."""
        return f"the key is {key}"

    @project.skill(effect="read")
    def use(what: str, key: Metadata[str]) -> str:
        """Use."""
        used.append(what)
        return "used"

    @project.acceptance_check
    def agreed(answer: TaskAnswer[str]) -> str | None:
        """It was used."""
        return None if answer.output == "used" else f"not so: {answer.output}"

    def ask(turn: Turn) -> Any:
        read.append((turn.instructions, turn.data))
        if turn.instructions.startswith("Your answer"):
            return Answer("used") if turn.results else Call(use, what=turn.instructions)
        return Answer(turn.results[0].value) if turn.results else Call(look)

    def hear(turn: Turn) -> Answer:
        read.append((turn.instructions, turn.data))
        return Answer("heard")

    def judging(turn: Turn) -> Answer:
        read.append((turn.instructions, turn.data))
        return Answer({"accepted": True})

    plan = [
        subtask("a", "knower", rubric="It is a key."),
        subtask("b", "hearer", inputs=[{"name": "key", "subtask": "a"}]),
        subtask("c", "knower", checks=["agreed"]),
    ]
    team = [agent(project, "knower", ask, skills=[look, use]), agent(project, "hearer", hear)]
    judge = agent(project, "judge", judging)
    leader = lead(project, team, plan, judge=judge, pass_metadata={"knower": ["key"]})
    async with opened(project) as app:
        task = await app.assign_task(leader, "Go.", metadata={"key": Sealed("K-12345678")})

    assert "K-12345678" not in str(read)
    assert ("do b", {"key": "the key is «key»"}) in read
    assert [each.output for each in task.sections] == ["the key is K-12345678", "heard", "used"]
    [what] = used  # a skill that has the key gets it
    assert "not so: the key is K-12345678" in what


async def test_a_file_with_what_is_sealed_is_sent_to_no_model_however_deep(opened: Open) -> None:
    project = Project("desk")

    @project.skill(effect="read")
    def save(key: Metadata[str], call: SkillCall) -> str:
        """Save."""
        call.save_artifact("key.txt", f"the key is {key}".encode(), "text/plain")
        return "saved"

    def saving(turn: Turn) -> Any:
        return Answer("done") if turn.results else Call(save)

    reader = agent(project, "reader")
    take = {"name": "file", "file": "key.txt"}
    below = subtask("deep", "reader", inputs=[take])
    inner = lead(project, [reader], name="inner", plan=Plan(subtasks=[Subtask(**below)]))
    saver = agent(project, "saver", saving, skills=[save])
    given = {"name": "file", "subtask": "a", "artifact": "key.txt"}
    plan = [
        subtask("a", "saver"),
        subtask("b", "reader", inputs=[given]),
        subtask("c", "inner", inputs=[given]),
    ]
    leader = lead(project, [saver, reader, inner], plan, pass_metadata={"saver": ["key"]})
    async with opened(project) as app:
        with ends_with(OrchestrationPartial) as ended:
            await app.assign_task(leader, "Go.", metadata={"key": Sealed("K-12345678")})

    assert [each["subtask"] for each in ended.error.missing] == ["b", "c"]
    for each in ended.error.missing:
        [reason] = each["reasons"]
        assert 'would have carried the sealed metadata "key": it stands in' in reason
