"""By which ids an orchestration is meant: its task's, or its job's where it has no other one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, lead, subtask
from tests.support import eventually, result, status
from tests.warm import Warm

from lampwork import Answer, App, Call, Job, Project, Turn, clock
from lampwork.errors import (
    JobNotFound,
    SeveralOrchestrations,
    SubtaskSettled,
    TaskNotFound,
    WaitNotFound,
)
from lampwork.insights import Insights
from lampwork.views import OrchestrationView


def desk(plan_approval: Any = None) -> Project:
    project = Project("desk")
    team = [agent(project, "one"), agent(project, "other")]
    lead(project, team, [subtask("a", "one")], plan_approval=plan_approval)
    return project


async def proposed(app: App, orchestration: str) -> OrchestrationView:
    """An orchestration once its plan waits."""

    async def look() -> OrchestrationView | None:
        try:
            found = await Insights(app.store).orchestration(orchestration)
        except TaskNotFound:  # it has planned nothing yet
            return None
        return found if found.rounds[-1].approval is not None else None

    return await eventually(look)


def digest(found: OrchestrationView) -> str:
    assert found.rounds[-1].approval is not None
    return found.rounds[-1].approval.digest


async def test_a_plan_is_decided_on_by_the_id_of_its_job(opened: Open) -> None:
    async with opened(desk("always")) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        edited = [subtask("b", "other")]
        with pytest.raises(SubtaskSettled, match="waits to be approved"):
            await app.skip_subtask(job, "a", by="ann")
        of_edit = await app.edit_plan(job, edited, by="ann", digest=digest(found))
        await app.approve_plan(found.rounds[-1].job_id, by="ann", digest=of_edit)
        answer = await app.result(job)

    assert answer["response"] == "b succeeded"


async def test_of_a_job_with_several_it_is_asked_which_one(opened: Open) -> None:
    project = desk("always")

    @project.recipe()
    async def twice(job: Job) -> list[str]:
        both = [job.assign_task("lead", each) for each in ("Do it.", "Do it again.")]
        return [each.output for each in await job.gather(*both)]

    async with opened(project) as app:
        job = await app.start(twice)
        tasks = [f"t{job[1:]}.{number}" for number in (1, 2)]
        digests = [digest(await proposed(app, each)) for each in tasks]
        said = f"by its task: {', '.join(f'{each} (lead, working)' for each in tasks)}."
        for decide in (app.approve_plan, app.reject_plan):
            with pytest.raises(SeveralOrchestrations) as raised:
                await decide(job, by="ann", digest=digests[0])
            assert raised.value.message.endswith(said)
        with pytest.raises(SeveralOrchestrations):
            await app.skip_subtask(job, "a", by="ann")
        with pytest.raises(SeveralOrchestrations, match="has 2 orchestrations"):
            await Insights(app.store).orchestration(job)
        for task, each in zip(tasks, digests, strict=True):
            await app.approve_plan(task, by="ann", digest=each)
        assert await app.result(job) == ["a succeeded"] * 2


async def test_those_of_a_job_are_listed_in_the_order_of_its_calls(
    opened: Open, tmp_path: Path, warm: Warm
) -> None:
    project = desk()

    @project.recipe()
    async def late(job: Job) -> None:
        await job.step(len, "first")
        await job.assign_task("lead", "Do it.")  # call 2, and as a text "10" is before it
        for _ in range(7):
            await job.step(len, "between")
        await job.assign_task("lead", "Do it again.\n" + "So long. " * 30)

    async with opened(project) as app:
        job = await app.start(late)
        await app.result(job)
        tasks = [f"t{job[1:]}.{number}" for number in (2, 10)]
        with pytest.raises(SeveralOrchestrations) as raised:
            await Insights(app.store).orchestration(job)
        each = [await Insights(app.store).orchestration(task) for task in tasks]

    assert [found.orchestration_id for found in each] == tasks
    first, second = raised.value.orchestrations
    assert first == {
        "orchestration_id": tasks[0],
        "orchestrator": "lead",
        "status": "answered",
        "instructions": "Do it.",
    }
    assert len(second["instructions"]) == 200
    process = warm.start(["-m", "lampwork", "orchestration", job], cwd=tmp_path)
    assert process.communicate(timeout=60) == (
        "",
        f"""\
Error: Job {job} has 2 orchestrations. Name one of them:
  lampwork orchestration {tasks[0]}  # lead, answered: Do it.
  lampwork orchestration {tasks[1]}  # lead, answered: \
Do it again. So long. So long. So long. So long. So long. S…
""",
    )
    assert process.returncode == 2


async def test_a_genie_that_calls_a_recipe_has_no_orchestration(opened: Open) -> None:
    project = desk()

    @project.recipe()
    async def look_up(job: Job) -> str:
        """Look it up."""
        return "found"

    def answering(turn: Turn) -> Any:
        return Answer(turn.results[0].value) if turn.results else Call("look_up")

    agent(project, "clerk", answering, skills=[look_up])
    async with opened(project) as app:
        job = await app.assign("clerk", "Look it up.")
        await app.result(job)
        task = f"t{job[1:]}.1"
        with pytest.raises(TaskNotFound, match="has no orchestration"):
            await Insights(app.store).orchestration(job)
        with pytest.raises(TaskNotFound, match="no plan of it was taken"):
            await Insights(app.store).orchestration(task)
        with pytest.raises(TaskNotFound, match="has no orchestration"):
            await app.approve_plan(job, by="ann", digest="")
        with pytest.raises(TaskNotFound, match="no plan of it was taken"):
            await app.skip_subtask(task, "a", by="ann")


async def test_what_is_not_there_is_said(opened: Open) -> None:
    async with opened(desk()) as app:
        job = await app.assign("lead", "Do it.")
        await status(app, job, "succeeded")
        with pytest.raises(JobNotFound, match="There is no job jnone"):
            await app.approve_plan("jnone", by="ann", digest="")
        with pytest.raises(WaitNotFound, match=f"Orchestration t{job[1:]}.1 has no plan"):
            await app.approve_plan(job, by="ann", digest="")


async def test_the_last_plan_is_decided_on_whatever_the_clock_says(opened: Open) -> None:
    project, here = Project("desk"), clock.Clock()

    def then(turn: Turn) -> Any:
        if turn.results[-1].error is None:
            return Answer("done")
        here.set_ahead(time.time() - 3600 - time.monotonic())
        return Call("plan", subtasks=[subtask("b", "one")])

    team = [agent(project, "one")]
    lead(project, team, [subtask("a", "one")], then=then, plan_approval="always")
    with clock.using(here):
        async with opened(project) as app:
            job = await app.assign("lead", "Do it.")
            first = digest(await proposed(app, job))
            await app.reject_plan(job, by="ann", digest=first)

            async def again() -> bool:
                return digest(await proposed(app, job)) != first

            await eventually(again)
            await app.approve_plan(job, by="ann", digest=digest(await proposed(app, job)))
            answer = await result(app, job)

    assert answer["response"] == "done"
