"""An orchestrator plans, its agents do the work, and it integrates what they have produced."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests import support
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, ends_with, lead, subtask, summary

from lampwork import (
    Answer,
    App,
    Call,
    Calls,
    CannotComplete,
    File,
    Job,
    Metadata,
    OrchestrationLimits,
    Plan,
    Project,
    Sealed,
    SkillCall,
    Subtask,
    SubtaskInput,
    Turn,
    playbook,
)
from lampwork.errors import (
    MetadataUnknown,
    ModelUnavailable,
    OrchestrationFailed,
    OutputInvalid,
    PlanInvalid,
    TaskNotCompleted,
)
from lampwork.insights import Insights


class Total(BaseModel):
    cents: int


async def test_each_subtask_is_a_task_of_its_agent_and_the_answer_names_them(opened: Open) -> None:
    project = Project("desk")
    plan = [
        subtask("orders", "data", output=Total.model_json_schema()),
        subtask("growth", "analyst", inputs=[{"name": "total", "subtask": "orders"}]),
    ]
    data = agent(project, "data", lambda _: Answer({"cents": 900}))
    analyst = agent(project, "analyst", lambda turn: Answer(f"grown to {turn.data}"))
    lead(project, [data, analyst], plan, then=lambda turn: Answer({"cents": 900}))

    @project.recipe()
    async def report(job: Job) -> list[Any]:
        task = await job.assign_task("lead", "Report on Q2.", output=Total)
        return [
            task.output.cents,
            task.status,
            [[each.subtask, each.agent, each.output] for each in task.sections],
        ]

    async with opened(project) as app:
        assert await app.run(report) == [
            900,
            "answered",
            [
                ["orders", "data", {"cents": 900}],
                ["growth", "analyst", "grown to {'total': {'cents': 900}}"],
            ],
        ]


async def test_subtasks_run_side_by_side_and_none_before_its_inputs(opened: Open) -> None:
    project = Project("desk")
    both: list[str] = []
    met = asyncio.Barrier(2)  # each waits for the other: one after the other would never end

    async def meet(turn: Turn) -> Answer:
        both.append(turn.instructions)
        await met.wait()
        return Answer("met")

    one, two = agent(project, "one", meet), agent(project, "two", meet)
    after = agent(project, "after", lambda turn: Answer(f"{len(both)} {turn.data}"))
    plan = [
        subtask("last", "after", inputs=[{"name": "x", "subtask": "a"}], depends_on=["b"]),
        subtask("a", "one"),
        subtask("b", "two"),
    ]
    leader = lead(project, [one, two, after], plan)
    async with opened(project) as app:
        task = await asyncio.wait_for(app.assign_task(leader, "Go."), 60)

    assert task.sections[0].output == "2 {'x': 'met'}"


async def test_at_most_so_many_subtasks_are_worked_on_at_a_time(opened: Open) -> None:
    project = Project("desk")
    now, most = [0], [0]
    three = asyncio.Barrier(3)  # fewer at a time would wait for ever

    async def work(turn: Turn) -> Answer:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await three.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        now[0] -= 1
        return Answer("done")

    worker = agent(project, "worker", work)
    plan = [subtask(f"s{n}", "worker") for n in range(9)]
    leader = lead(project, [worker], plan, limits=OrchestrationLimits(parallel=3))
    async with opened(project) as app:
        task = await asyncio.wait_for(app.assign_task(leader, "Go."), 60)

    assert len(task.sections) == 9
    assert most == [3]


async def test_inputs_are_of_the_request_its_files_and_what_others_produced(opened: Open) -> None:
    project = Project("desk")
    seen: dict[str, Any] = {}

    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> str:
        """Draw."""
        call.save_artifact("chart.csv", b"a,b\n1,2\n", "text/csv")
        call.save_artifact("notes.txt", b"noted", "text/plain")
        return "drawn"

    def look(turn: Turn) -> Answer:
        seen[turn.instructions] = turn.data, sorted(each.name for each in turn.files)
        return Answer("seen")

    artist = agent(
        project,
        "artist",
        lambda turn: Answer({"title": "T"}) if turn.results else Call(draw),
        skills=[draw],
    )
    reader = agent(project, "reader", look)
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    plan = [
        subtask("chart", "artist", output=schema),
        subtask(
            "request",
            "reader",
            inputs=[
                {"name": "what", "request": "instructions"},
                {"name": "on", "request": "data"},
                {"name": "order", "file": "po.txt"},
            ],
        ),
        subtask("whole", "reader", inputs=[{"name": "c", "subtask": "chart"}]),
        subtask("field", "reader", inputs=[{"name": "c", "subtask": "chart", "field": "title"}]),
        subtask(
            "file", "reader", inputs=[{"name": "c", "subtask": "chart", "artifact": "notes.txt"}]
        ),
    ]
    leader = lead(project, [artist, reader], plan)
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


# --- it can't execute, and it must plan ---


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


async def test_an_invalid_plan_goes_back_with_reasons_a_few_times(opened: Open) -> None:
    project = Project("desk")
    told: list[str] = []
    worker = agent(project, "worker")

    @playbook
    def stubborn(turn: Turn) -> Call:
        told.extend(each.error or "" for each in turn.results[-1:])
        return Call("plan", subtasks=[subtask("a", "wroker"), subtask("a", "worker")])

    leader = project.orchestrator("lead", model=stubborn, job_description="", agents=[worker])
    async with opened(project) as app:
        with ends_with(PlanInvalid) as raised:
            await app.assign_task(leader, "Go.")

    assert len(told) == 2
    for each in (told[0], raised.error.message):
        assert 'two subtasks have the id "a"' in each
        assert 'subtask "a": there is no agent "wroker". Did you mean "worker"?' in each


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


@pytest.mark.parametrize("attempts", [3, 4])
async def test_so_does_a_plan_that_asks_for_what_the_request_has_not(
    opened: Open, attempts: int
) -> None:
    project = Project("desk")
    told: list[str] = []
    worker = agent(project, "worker")

    @playbook
    def stubborn(turn: Turn) -> Call:
        told.extend(each.error or "" for each in turn.results[-1:])
        source = {"name": "shop", "request": "data", "field": "shop"}
        return Call("plan", subtasks=[{**subtask("a", "worker"), "inputs": [source]}])

    limits = OrchestrationLimits(plan_attempts=attempts)
    leader = project.orchestrator(
        "lead", model=stubborn, job_description="", agents=[worker], limits=limits
    )
    async with opened(project) as app:
        with ends_with(PlanInvalid) as raised:
            await app.assign_task(leader, "Go.")

    assert len(told) == attempts - 1
    assert f"in {attempts} attempts" in raised.error.message
    assert 'the request has no field "shop" in its data' in raised.error.message


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


# --- metadata ---


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


# --- nested ---


async def test_an_orchestrator_may_be_the_agent_of_another(opened: Open) -> None:
    project = Project("desk")
    worker = agent(project, "worker")
    inner = lead(project, [worker], [subtask("deep", "worker")], name="inner")
    outer = lead(project, [inner], [subtask("wide", "inner")], name="outer")
    async with opened(project) as app:
        task = await app.assign_task(outer, "Go.")
        inside = await Insights(app.store).task(task.sections[0].task_id)

    assert task.sections[0].agent == "inner"
    assert task.sections[0].output == "deep succeeded"
    assert inside.answer is not None
    assert inside.answer["sections"][0]["agent"] == "worker"


async def test_what_its_own_model_can_not_do_stays_what_it_is(opened: Open) -> None:
    project = Project("desk")
    plan = [subtask("good", "able")]
    leader = lead(
        project, [agent(project, "able")], plan, then=lambda _: CannotComplete("too hard")
    )
    async with opened(project) as app:
        with ends_with(TaskNotCompleted, match="too hard"):
            await app.assign_task(leader, "Go.")


async def test_in_a_chat_a_greeting_needs_no_plan(opened: Open) -> None:
    project = Project("desk")

    def reply(turn: Turn) -> Any:
        return Answer(f"Done: {summary(turn)}")

    @playbook
    def decide(turn: Turn) -> Any:
        if turn.results:
            return reply(turn)
        if turn.instructions == "Hello":
            return Answer("Hello, what may I do?")
        return Call("plan", subtasks=[subtask("a", "worker")])

    leader = project.orchestrator(
        "lead", model=decide, job_description="", agents=[agent(project, "worker")]
    )
    async with opened(project) as app:
        first = await app.chat(leader, "Hello", user="ada")
        second = await app.chat(leader, "Do a", user="ada", conversation=first.conversation_id)

    assert first.response == "Hello, what may I do?"
    assert second.response == "Done: a succeeded"


async def suspended(app: App, job_id: str) -> None:
    """Wait until there is such a job, and it only waits."""

    async def shown() -> bool:
        query = "select status from jobs where id = :id"
        return await support.rows(app, query, id=job_id) == [("suspended",)]

    await support.eventually(shown)


async def test_what_waits_is_parked_and_goes_on_with_the_same_plan(opened: Open) -> None:
    project = Project("desk")
    done: list[str] = []

    @project.recipe()
    async def ask_outside(job: Job) -> str:
        """Ask somebody."""
        return await job.wait_for("word", str)

    def quick(turn: Turn) -> Answer:
        done.append(turn.instructions)
        return Answer("done")

    def slow(turn: Turn) -> Any:
        return Answer(turn.results[0].value) if turn.results else Call("ask_outside")

    agents = [agent(project, "quick", quick), agent(project, "slow", slow, skills=[ask_outside])]
    plan = [
        subtask("now", "quick"),
        subtask("later", "slow"),
        subtask("last", "quick", inputs=[{"name": "word", "subtask": "later"}]),
    ]
    lead(project, agents, plan)

    @project.recipe()
    async def main(job: Job) -> str:
        return (await job.assign_task("lead", "Go.")).response

    async with opened(project) as app:
        job_id = await app.start(main)
        round_id = f"{job_id}.1.2.0"
        await suspended(app, f"{round_id}.2.2.0")
        for each in (f"{round_id}.2.2.0", round_id, job_id):
            await support.park(app, each)
    async with opened(project) as app:
        await app.send_event(f"{round_id}.2.2.0", "word", "yes")
        assert await support.result(app, job_id) == "now succeeded, later succeeded, last succeeded"

    assert done == ["do now", "do last"]


async def test_a_retry_does_not_wait_for_what_others_wait_for(opened: Open) -> None:
    project = Project("desk")
    tried: list[int] = []

    @project.recipe()
    async def ask_outside(job: Job) -> str:
        """Ask somebody."""
        return await job.wait_for("word", str)

    def slow(turn: Turn) -> Any:
        return Answer(turn.results[0].value) if turn.results else Call("ask_outside")

    def shaky(turn: Turn) -> Answer:
        tried.append(turn.number)
        if len(tried) == 1:
            raise ModelUnavailable("down")
        return Answer("up")

    agents = [agent(project, "slow", slow, skills=[ask_outside]), agent(project, "shaky", shaky)]
    plan = [subtask("later", "slow"), subtask("again", "shaky")]
    lead(project, agents, plan, limits=OrchestrationLimits(backoff=0.5))

    @project.recipe()
    async def main(job: Job) -> str:
        return (await job.assign_task("lead", "Go.")).response

    async with opened(project, park_after=0.0) as app:
        job_id = await app.start(main)
        round_id = f"{job_id}.1.2.0"
        await suspended(app, f"{round_id}.1.2.0")
        await support.eventually(lambda: len(tried) == 2, "the retry waits for the other subtask")
        await app.send_event(f"{round_id}.1.2.0", "word", "yes")
        assert await support.result(app, job_id) == "later succeeded, again succeeded"
