"""Answering a failed task by hand: a retry of its job, with the person's answer."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, field_validator

from lampwork import (
    Answer,
    Call,
    CannotComplete,
    Job,
    Project,
    Turn,
    playbook,
)
from lampwork.errors import (
    AlreadyAnswered,
    Conflict,
    InputInvalid,
    JobFailed,
    TaskNotCompleted,
)
from lampwork.insights import Insights

from ..support import result, row, rows, status
from .conftest import Open

project = Project("failed, by hand")
done: list[str] = []


class Verdict(BaseModel):
    status: Literal["approved", "flagged"]
    reason: str

    @field_validator("reason")
    @classmethod
    def says_something(cls, reason: str) -> str:
        if not reason.strip():
            raise ValueError("say why")
        return reason


APPROVED = {"status": "approved", "reason": "ann has looked"}


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


@project.skill(effect="read")
def look() -> str:
    """Look."""
    done.append("looked")
    return "seen"


@playbook
def declines(turn: Turn) -> Call | Answer | CannotComplete:
    done.append(f"modest {turn.number}")
    if not turn.results:
        return Call("look")
    if turn.instructions == "Decline.":
        return CannotComplete("no purchase order")
    return Answer({"status": "flagged", "reason": "says the genie"})


modest = project.genie("modest", model=declines, job_description="You check.", skills=[look])


@project.recipe()
async def review(job: Job, instructions: str = "Check.") -> str:
    await job.step(done.append, "before")
    task = await job.assign_task(modest, instructions, output=Verdict)
    by = task.answered_by or "the genie"
    await job.step(done.append, "after")
    return f"{task.output.status}, {task.output.reason}, by {by}, {task.status}"


def task_of(job_id: str, call: int = 2) -> str:
    return f"t{job_id[1:]}.{call}"


async def test_a_failed_task_is_answered_in_a_copy_that_keeps_what_succeeded(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review, instructions="Decline.")
        await status(app, job.job_id, "failed")
        before = await rows(app, "select * from jobs"), await rows(app, "select * from tasks")

        copy = await app.answer_task(task_of(job.job_id), APPROVED, by="ann", note="found it")

        assert copy != job
        assert await result(app, copy.job_id) == "approved, ann has looked, by ann, answered"
        assert [row for row in await rows(app, "select * from jobs") if row in before[0]] == (
            before[0]
        )
        assert [row for row in await rows(app, "select * from tasks") if row in before[1]] == (
            before[1]
        )
        [link] = await rows(
            app, "select copy_of, copied_as from jobs where id = :id", id=copy.job_id
        )
        assert link == (job.job_id, "retry")
        details = await Insights(app.store).conversation(f"c{copy.job_id[1:]}.2")
    assert done == ["before", "modest 1", "looked", "modest 2", "after"]
    # All that the genie had done is there, and the answer is the person's.
    assert [part.kind for part in details.transcript] == [
        *("told", "said", "skill_call", "said", "not_completed"),
        "answered",
    ]
    end = details.transcript[-1]
    assert (end.by, end.note) == ("ann", "found it")


async def test_the_answer_tells_what_the_failed_task_had_done(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.assign(modest, "Decline.", output=Verdict)
        await status(app, job.job_id, "failed")
        copy = await app.answer_task(task_of(job.job_id, 1), APPROVED, by="ann")
        record = await result(app, copy.job_id)
    assert record["task_id"] == task_of(copy.job_id, 1)
    assert record["conversation_id"] == f"c{copy.job_id[1:]}.1"
    assert [action["skill"] for action in record["actions"]] == ["look"]
    assert record["usage"]["requests"] == 2


async def test_a_failed_task_is_answered_once(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review, instructions="Decline.")
        await status(app, job.job_id, "failed")
        copy = await app.answer_task(task_of(job.job_id), APPROVED, by="ann")
        await result(app, copy.job_id)
        with pytest.raises(AlreadyAnswered, match="was already answered by ann"):
            await app.answer_task(task_of(job.job_id), APPROVED, by="bob")


async def test_a_retry_names_the_answer_that_an_earlier_one_got(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review, instructions="Decline.")
        await status(app, job.job_id, "failed")
        task = task_of(job.job_id)
        plan = await app.plan_answer(task, APPROVED, by="ann")
        assert plan is not None
        assert ([each.number for each in plan.kept], plan.again) == ([1], ())
        assert plan.notes == (f"Task {task}, its call 2, has the answer instead.",)
        with pytest.raises(InputInvalid, match="say why"):
            await app.plan_answer(task, APPROVED | {"reason": " "}, by="ann")

        copy = await app.answer_task(task, APPROVED, by="ann")
        await result(app, copy.job_id)

        [shown] = (await Insights(app.store).job(job.job_id)).copies
        assert (shown.job_id, shown.answered) == (copy.job_id, {task_of(copy.job_id): "ann"})
        assert (await app.plan_retry(job)).notes == (
            f"Task {task_of(copy.job_id)} was answered by ann in job {copy.job_id}; "
            "this retry asks the genie again.",
        )
        assert (await app.plan_fork(copy.job_id, at=3)).notes == ()
        with pytest.raises(AlreadyAnswered):
            await app.plan_answer(task, APPROVED, by="bob")


async def test_a_failed_task_whose_job_was_retried_is_answered_there(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review, instructions="Decline.")
        await status(app, job.job_id, "failed")
        retry = await app.retry(job.job_id)
        await status(app, retry.job_id, "failed")
        copy = await app.answer_task(task_of(retry.job_id), APPROVED, by="ann")
        assert await result(app, copy.job_id) == "approved, ann has looked, by ann, answered"
        assert (await row(app, copy.job_id)).copy_of == retry.job_id


@project.recipe()
async def review_both(job: Job) -> list[str]:
    first = await job.assign_task(modest, "Check.", output=Verdict)
    second, third = await job.gather(
        job.assign_task(modest, "Decline.", output=Verdict),
        job.assign_task(modest, "Go on.", output=Verdict, conversation=first.conversation_id),
    )
    fourth = await job.assign_task(
        modest, "Check again.", output=Verdict, conversation=second.conversation_id
    )
    return [each.answered_by or each.output.reason for each in (first, second, third, fourth)]


async def test_what_follows_continues_the_conversation_of_the_answer(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review_both)
        await status(app, job.job_id, "failed")
        copy = await app.answer_task(task_of(job.job_id), APPROVED, by="ann")
        genie = "says the genie"
        assert await result(app, copy.job_id) == [genie, "ann", genie, genie]
        details = await Insights(app.store).conversation(f"c{copy.job_id[1:]}.2")
    kinds = [part.kind for part in details.transcript]
    assert kinds[5:] == ["answered", "told", "said", "skill_call", "said", "answered"]
    # The tasks that had succeeded were not done again.
    assert done.count("modest 1") == 4


@project.recipe()
async def catches(job: Job, fail: bool) -> str:
    try:
        await job.assign_task(modest, "Decline.", output=Verdict)
    except TaskNotCompleted:
        if fail:
            await job.step(int, "x")
        return "declined, so be it"
    return "answered"


@project.recipe()
async def catches_and_waits(job: Job) -> str:
    try:
        await job.assign_task(modest, "Decline.", output=Verdict)
    except TaskNotCompleted:
        return await job.wait_for("word", str)
    return "answered"


@pytest.mark.parametrize(
    ("recipe", "given", "ends"),
    [
        (catches, {"fail": False}, "succeeded"),
        (catches, {"fail": True}, "failed"),
        (catches_and_waits, {}, "suspended"),
    ],
)
async def test_a_failure_that_its_recipe_has_caught_is_not_answered(
    opened: Open, recipe: Any, given: dict[str, Any], ends: str
) -> None:
    async with opened(project) as app:
        job = await app.start(recipe, **given)
        await status(app, job.job_id, ends)
        with pytest.raises(Conflict, match="its recipe went on without its answer"):
            await app.answer_task(task_of(job.job_id, 1), APPROVED, by="ann")
        assert await rows(app, "select count(*) from jobs") == [(1,)]
        if ends == "suspended":
            await app.cancel(job.job_id)


@project.recipe()
async def calls_review(job: Job) -> str:
    return await job.call(review, instructions="Decline.")


async def test_a_task_that_failed_in_a_job_below_another_is_not_answered(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(calls_review)
        with pytest.raises(JobFailed):
            await result(app, job.job_id)
        with pytest.raises(Conflict, match=f"lampwork job {job.job_id} retry"):
            await app.answer_task(task_of(f"{job.job_id}.1"), APPROVED, by="ann")
