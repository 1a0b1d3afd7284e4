"""An orchestrator has its agents do the work of its plan, and integrates what they produce."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel
from tests import support
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, ends_with, lead, subtask, summary

from lampwork import (
    Answer,
    App,
    Call,
    CannotComplete,
    Job,
    OrchestrationLimits,
    Project,
    Turn,
    playbook,
)
from lampwork.errors import ModelUnavailable, TaskNotCompleted


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
