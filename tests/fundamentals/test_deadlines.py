"""A deadline ends a task wherever it stands, and says what had been done by then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support import Metered, eventually, inside, result, row, rows, sql, status

from lampwork import Answer, App, Budget, Call, Genie, Job, Project, Turn, playbook
from lampwork.errors import (
    IdempotencyConflict,
    InputInvalid,
    JobFailed,
    TaskDeadlineExceeded,
)
from lampwork.insights import Insights
from lampwork.testing import FakeClock

from .conftest import Open

SOON = 60.0
"""Seconds."""


@pytest.fixture(autouse=True)
def _at_rest(stopped: FakeClock) -> None:
    """No time passes but what a test lets pass."""


async def never(passing: FakeClock | None) -> str:
    """End never; time passes meanwhile, if it is given."""
    if passing is not None:
        await passing.advance(seconds=SOON, while_executing=True)
    await asyncio.Event().wait()
    return "done"


def one_genie(
    model: Callable[[Turn], Any], *skills: str, passing: FakeClock | None = None
) -> tuple[Project, Genie]:
    """A genie and skills that never end."""
    project = Project("late")

    def endless(name: str) -> Any:
        async def skill() -> str:
            """Take for ever."""
            return await never(passing)

        return project.skill(name=name, effect=name)(skill)

    made = [endless(name) for name in skills]
    return project, project.genie("clerk", model=playbook(model), job_description="", skills=made)


async def late(app: App, genie: Genie, **terms: Any) -> dict[str, Any]:
    """The fields of what a task fails with."""
    return await ended_late(app, (await app.assign(genie, "Go.", **terms)).job_id)


async def ended_late(app: App, job_id: str) -> dict[str, Any]:
    with pytest.raises(JobFailed) as failed:
        await result(app, job_id)
    assert failed.value.error["code"] == "task_deadline_exceeded"
    return failed.value.error["fields"]


@pytest.mark.parametrize(
    "deadline",
    [
        datetime.now(UTC) - timedelta(days=1),
        datetime(2020, 1, 1),  # in UTC
        timedelta(seconds=-1),
        0,
    ],
)
async def test_a_deadline_in_the_past_fails_before_the_model_is_asked(
    opened: Open, deadline: Any
) -> None:
    asked: list[Turn] = []
    project, genie = one_genie(asked.append)
    caught: list[TaskDeadlineExceeded] = []

    @project.recipe()
    async def assign(job: Job, conversation: str | None = None) -> str:
        call = job.assign_task(genie, "Go.", conversation=conversation, deadline=deadline)
        try:
            await call
        except TaskDeadlineExceeded as error:
            caught.append(error)
        return "caught"

    async with opened(project) as app:
        await app.run(assign)
        assert await rows(app, "select * from tasks union all select * from tasks") == []
        assert await rows(app, "select * from conversations") == []
    [error] = caught
    assert (asked, error.partial, error.actions, error.usage) == ([], "", [], {})
    assert "has passed. Give it more time" in error.message


@pytest.mark.parametrize(
    "deadline", [datetime(2020, 1, 1), timedelta(seconds=-1), 0], ids=["moment", "before", "now"]
)
async def test_from_outside_a_recipe_a_deadline_in_the_past_is_refused_before_there_is_a_job(
    opened: Open, deadline: Any
) -> None:
    project, genie = one_genie(lambda _turn: Answer("done"))
    async with opened(project) as app:
        with pytest.raises(TaskDeadlineExceeded, match=r"has passed\.") as refused:
            await app.assign(genie, "Go.", deadline=deadline)
        assert await rows(app, "select * from jobs") == []
    fields = refused.value.fields
    assert fields.pop("deadline")
    assert fields == {"partial": "", "actions": [], "usage": {}}


@pytest.mark.parametrize("deadline", ["soon", True, False, float("nan"), 1e30, timedelta.max])
async def test_what_is_no_time_is_refused(opened: Open, deadline: Any) -> None:
    project, genie = one_genie(lambda _turn: Answer("done"))
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match="is no time"):
            await app.assign_task(genie, "Go.", deadline=deadline)


async def test_an_answer_in_time_is_an_answer(opened: Open) -> None:
    project, genie = one_genie(lambda _turn: Answer("done"))
    async with opened(project) as app:
        answer = await app.assign_task(genie, "Go.", deadline=timedelta(minutes=5))
    assert answer.output == "done"


async def test_the_same_key_and_length_of_time_lead_to_the_same_job(opened: Open) -> None:
    project, genie = one_genie(lambda turn: Answer("done"))
    async with opened(project) as app:
        first = await app.assign(genie, "Go.", deadline=60, idempotency_key="one")
        assert await app.assign(genie, "Go.", deadline=60, idempotency_key="one") == first
        with pytest.raises(IdempotencyConflict):
            await app.assign(genie, "Go.", deadline=61, idempotency_key="one")
        [(deadline,)] = await eventually(lambda: rows(app, "select deadline from tasks"))
        accepted_at = (await row(app, first.job_id)).created_at
        assert deadline == pytest.approx(accepted_at + 60, abs=0.001)


async def test_a_copy_of_a_job_has_as_much_time_anew(opened: Open, stopped: FakeClock) -> None:
    project, genie = one_genie(lambda turn: Answer("done"))
    async with opened(project) as app:
        job = await app.assign(genie, "Go.", deadline=SOON)
        await status(app, job.job_id, "succeeded")
        await inside(app, stopped.advance(seconds=SOON))
        again = await app.rerun(job.job_id)
        assert (await result(app, again.job_id))["response"] == "done"


async def test_a_model_call_ends_with_the_time_and_is_counted_at_what_it_may_have_used(
    opened: Open, stopped: FakeClock
) -> None:
    async def endless(_turn: Turn) -> Answer:
        return Answer(await never(stopped))

    project = Project("late")
    genie = project.genie("clerk", model=Metered(endless, longest=100), job_description="")
    async with opened(project) as app:
        fields = await late(app, genie, deadline=SOON, budget=Budget(model_calls=1))
        shown = await Insights(app.store).conversation(fields["conversation_id"])
    assert [part.kind for part in shown.transcript] == ["told", "unanswered", "failed"]
    [record] = shown.task_records
    assert record.budget is not None
    assert record.budget.spent["model_calls"] == record.budget.estimated["model_calls"] == 1
    usage = fields["usage"]
    assert usage["estimated_requests"] == usage["requests"] == 1
    assert usage["estimated_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 1_000
    assert usage["estimated_nanodollars"] == usage["cost_nanodollars"] > 1_000_000


@pytest.mark.parametrize(
    ("effect", "came_of_it"),
    [
        ("read", ("not_completed", "Not completed: the task's time was up.")),
        ("idempotent", ("not_completed", "Not completed: the task's time was up.")),
        ("at_most_once", ("unknown", "the task's time was up while it was executing")),
    ],
)
async def test_a_skill_call_ends_with_the_time(
    opened: Open, stopped: FakeClock, effect: str, came_of_it: tuple[str, str]
) -> None:
    project, genie = one_genie(lambda turn: Call(turn.skills[0]), effect, passing=stopped)
    async with opened(project) as app:
        fields = await late(app, genie, deadline=SOON)
    [action] = fields["actions"]
    assert (action["skill"], action["status"], action["error"]) == (effect, *came_of_it)


async def test_the_seconds_of_a_budget_are_a_deadline_too(opened: Open, stopped: FakeClock) -> None:
    project, genie = one_genie(lambda turn: Call(turn.skills[0]), "read", passing=stopped)
    async with opened(project) as app:
        with pytest.raises(JobFailed) as failed:
            await app.assign_task(genie, "Go.", deadline=600, budget=Budget(seconds=SOON))
    error = failed.value.error
    assert (error["code"], error["fields"]["limit"]) == ("budget_exceeded", "seconds")
    assert error["fields"]["spent"]["seconds"] >= SOON


@playbook
def delegator(turn: Turn) -> Call:
    return Call(turn.skills[0])


def waiting_boss(**terms: Any) -> tuple[Project, Genie]:
    """A genie that has a recipe wait for an event that nobody sends."""
    project = Project("waiting")

    @project.recipe()
    async def wait(job: Job) -> str:
        return await job.wait_for("go", str)

    return project, project.genie("boss", model=delegator, job_description="", skills=[wait])


async def parked(app: App, *jobs: str) -> None:
    """Wait until these jobs, and no others, are parked."""

    async def found() -> bool:
        at_rest = await rows(app, "select id from jobs where want = 'parked' order by id")
        return [job for (job,) in at_rest] == sorted(jobs)

    await eventually(found, f"{jobs} were never parked")


async def time_passes(app: App, *, noticed: bool = True) -> None:
    """Let every deadline be in the past."""
    await sql(app, "update tasks set deadline = 1 where deadline is not null")
    await sql(app, "update calls set opened_at = 1")
    await sql(app, "update waits set due_at = 1 where due_at is not null")
    if noticed:
        await inside(app, app.worker.expiry.look())


async def test_a_parked_task_is_woken_by_its_deadline_and_what_it_started_is_cancelled(
    opened: Open,
) -> None:
    project, boss = waiting_boss()
    async with opened(project, park_after=0.0) as app:
        job = await app.assign(boss, "Go.", deadline=60)
        await parked(app, job, f"{job}.1.2.0")
        await time_passes(app)
        with pytest.raises(JobFailed) as failed:
            await result(app, job)
        await status(app, f"{job}.1.2.0", "cancelled")
    error = failed.value.error
    assert error["code"] == "task_deadline_exceeded"
    [action] = error["fields"]["actions"]
    assert (action["skill"], action["status"]) == ("wait", "not_completed")


async def test_a_deadline_that_passes_while_nothing_executes_is_kept_at_the_next_start(
    opened: Open,
) -> None:
    project, boss = waiting_boss()
    async with opened(project, park_after=0.0) as app:
        job = await app.assign(boss, "Go.", deadline=60)
        await parked(app, job, f"{job}.1.2.0")
        await time_passes(app, noticed=False)
    async with opened(project) as app:
        with pytest.raises(JobFailed, match="has passed"):
            await result(app, job)
        await status(app, f"{job}.1.2.0", "cancelled")


async def test_a_task_in_line_gives_its_place_up_with_the_time(
    opened: Open, stopped: FakeClock
) -> None:
    project, boss = waiting_boss()
    async with opened(project, park_after=0.0) as app:
        first = await app.assign(boss, "Go.")
        await parked(app, first, f"{first}.1.2.0")
        conversation = f"c{first[1:]}.1"
        job = await app.assign(boss, "Go.", conversation=conversation, deadline=SOON)
        await eventually(lambda: rows(app, "select * from line"), "it never came into line")
        await inside(app, stopped.advance(seconds=SOON, while_executing=True))
        fields = await ended_late(app, job)
        assert await rows(app, "select * from line") == []
        assert await rows(app, "select holder from conversations") == [(f"t{first[1:]}.1",)]
    assert (fields["conversation_id"], fields["actions"]) == (conversation, [])


async def test_the_time_of_a_task_runs_while_its_genie_is_paused(opened: Open) -> None:
    """From the call on, whatever run of its job makes it."""
    project, boss = waiting_boss()

    @project.recipe()
    async def patient(job: Job) -> str:
        task = await job.assign_task(boss, "Go.", when_paused="wait", deadline=60)
        return task.output

    async with opened(project, park_after=0.0) as app:
        await app.pause_genie(boss, by="ann")
        job = await app.start(patient)
        await parked(app, job)
        await time_passes(app)
        with pytest.raises(JobFailed, match="has passed"):
            await result(app, job)
        assert await rows(app, "select id from tasks") == []


async def test_nobody_is_asked_about_an_effect_after_the_deadline(opened: Open) -> None:
    project = Project("unsure")

    @project.skill(effect="at_most_once")
    async def pay() -> str:
        """Pay."""
        raise ConnectionError("no reply")

    genie = project.genie("clerk", model=delegator, job_description="", skills=[pay])
    async with opened(project, park_after=0.0) as app:
        job = await app.assign(genie, "Go.", deadline=60)
        await parked(app, job)
        assert (await row(app, job)).status == "needs_attention"
        await time_passes(app)
        with pytest.raises(JobFailed) as failed:
            await result(app, job)
    [action] = failed.value.error["fields"]["actions"]
    assert (action["status"], action["error"]) == ("unknown", "ConnectionError: no reply")
    error = failed.value.error
    [effect] = error["fields"]["effects"]
    assert error["message"].endswith(f". Nobody knows whether this happened: pay ({effect['key']})")


@pytest.mark.parametrize("terms", [{}, {"deadline": 600}, {"budget": Budget(seconds=600)}])
async def test_a_task_below_has_no_more_time_than_those_above(
    opened: Open, terms: dict[str, Any]
) -> None:
    project, clerk = one_genie(lambda turn: Call(turn.skills[0]), "read")

    @project.recipe()
    async def delegate(job: Job) -> str:
        return (await job.assign_task(clerk, "Go on.", **terms)).output

    boss = project.genie("boss", model=delegator, job_description="", skills=[delegate])
    async with opened(project, grace=0.1) as app:
        job = await app.assign(boss, "Go.", deadline=60)
        tasks = await eventually(lambda: _two(app))
        await app.cancel(job)
    assert len({deadline for (deadline,) in tasks}) == 1


async def _two(app: App) -> list[Any] | None:
    tasks = await rows(app, "select deadline from tasks")
    return tasks if len(tasks) == 2 else None


async def test_a_recipe_catches_the_error_and_a_replay_raises_the_same(
    opened: Open, stopped: FakeClock
) -> None:
    project, genie = one_genie(lambda turn: Call(turn.skills[0]), "read", passing=stopped)
    caught: list[TaskDeadlineExceeded] = []

    @project.recipe()
    async def patient(job: Job) -> str:
        try:
            await job.assign_task(genie, "Go.", deadline=SOON)
        except TaskDeadlineExceeded as error:
            caught.append(error)
        return await job.wait_for("go", str)

    async with opened(project, park_after=0.0) as app:
        job = await app.start(patient)
        await parked(app, job)
        await app.send_event(job, "go", "on")
        assert await result(app, job) == "on"
    first, again = caught
    assert first.to_record() == again.to_record()
    assert first.actions[0]["status"] == "not_completed"
