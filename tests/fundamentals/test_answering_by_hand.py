"""Answering by hand: a person answers a task in the genie's place."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Literal

import pytest
from pydantic import BaseModel, field_validator

from lampwork import (
    Answer,
    App,
    Call,
    Calls,
    Job,
    Metadata,
    Project,
    Sealed,
    Turn,
    playbook,
)
from lampwork.door import Door
from lampwork.errors import (
    AlreadyAnswered,
    Conflict,
    InputInvalid,
    TaskNotFound,
    TaskNotWaiting,
)
from lampwork.insights import Insights
from lampwork.jobs_door import JobsDoor
from lampwork.models.ask import Told

from ..support import eventually, idle, park, result, row, rows, status
from .conftest import Open

project = Project("by hand")
done: list[str] = []
held = threading.Event()


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
    held.clear()


@project.skill()
def wire() -> str:
    """Wire money."""
    done.append("wired")
    raise ConnectionError("the bank hung up")


@project.skill(effect="read")
def look() -> str:
    """Look."""
    done.append("looked")
    return "seen"


@project.recipe()
async def ask_around(job: Job) -> str:
    """Ask around, which takes long."""
    return await job.wait_for("word", str)


@project.recipe()
async def ask_further(job: Job) -> str:
    """Ask somebody else."""
    return await job.wait_for("word", str)


@project.skill(effect="read")
def hold() -> str:
    """Hold on."""
    held.wait(60)
    return "held"


def genie(name: str, *skills: Any) -> Any:
    @playbook
    def using_all(turn: Turn) -> Calls | Answer:
        done.append(f"{name} {turn.number}")
        if not turn.results:
            return Calls(*[Call(skill) for skill in turn.skills])
        return Answer({"status": "flagged", "reason": "says the genie"})

    return project.genie(name, model=using_all, job_description="You check.", skills=skills)


patient = genie("patient", ask_around, look)
unlucky = genie("unlucky", wire)
holding = genie("holding", hold)
modest = genie("modest", look)
twofold = genie("twofold", ask_around, ask_further)
GENIES = {each.name: each for each in (patient, unlucky, holding, modest, twofold)}


@project.recipe()
async def review(job: Job, name: str) -> str:
    await job.step(done.append, "before")
    task = await job.assign_task(GENIES[name], "Check.", output=Verdict)
    by = task.answered_by or "the genie"
    await job.step(done.append, "after")
    return f"{task.output.status}, {task.output.reason}, by {by}, {task.status}"


def task_of(job_id: str, call: int = 2) -> str:
    return f"t{job_id[1:]}.{call}"


async def waiting(app: App, job: str) -> None:
    await idle(app, job)


# --- a task that waits ---


@pytest.mark.parametrize("parked", [False, True], ids=["hot", "parked"])
async def test_a_task_that_waits_for_a_job_is_answered_and_the_job_is_cancelled(
    opened: Open, parked: bool
) -> None:
    async with opened(project) as app:
        job = await app.start(review, name="patient")
        child = f"{job.job_id}.2.2.0"
        await idle(app, child)
        await (park if parked else idle)(app, job.job_id)

        went_on = await app.answer_task(task_of(job.job_id), APPROVED, by="ann", note="I know them")

        assert went_on == job
        assert await result(app, job.job_id) == "approved, ann has looked, by ann, answered"
        await status(app, child, "cancelled")
        details = await Insights(app.store).conversation(f"c{job.job_id[1:]}.2")
    assert done == ["before", "patient 1", "looked", "after"]
    end = details.transcript[-1]
    assert (end.kind, end.output, end.by, end.note) == ("answered", APPROVED, "ann", "I know them")
    assert details.status == "answered"


async def test_an_effect_of_which_nobody_knows_stays_named(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.assign(unlucky, "Pay.", output=Verdict)
        task = task_of(job.job_id, 1)
        await status(app, job.job_id, "needs_attention")
        await app.answer_task(task, APPROVED, by="ann")
        record = await result(app, job.job_id)
        with pytest.raises(AlreadyAnswered, match="by ann"):
            await app.resolve(f"w{job.job_id[1:]}.1.2.0", "did_not_happen", by="bob")
    [action] = record["actions"]
    assert (action["skill"], action["status"], action["error"]) == (
        "wire",
        "unknown",
        "ConnectionError: the bank hung up",
    )
    assert record["answered_by"] == "ann"
    assert done == ["unlucky 1", "wired"]


async def test_a_task_that_waits_in_line_is_answered_without_its_turn(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.assign(patient, "Check.", output=Verdict)
        await idle(app, first.job_id)
        conversation = f"c{first.job_id[1:]}.1"
        second = await app.assign(modest, "Check.", output=Verdict, conversation=conversation)
        third = await app.assign(modest, "Check.", output=Verdict, conversation=conversation)
        await idle(app, second.job_id)
        await idle(app, third.job_id)

        await app.answer_task(task_of(second.job_id, 1), APPROVED, by="ann")

        assert (await result(app, second.job_id))["answered_by"] == "ann"
        # The line is one shorter, and its others get their turns.
        await app.answer_task(task_of(first.job_id, 1), APPROVED, by="bob")
        assert (await result(app, third.job_id))["answered_by"] is None
    assert done.count("modest 1") == 1


@pytest.mark.parametrize("name", ["patient", "holding"])
async def test_a_task_of_a_job_that_was_stopped_is_answered_for_when_it_goes_on(
    opened: Open, name: str
) -> None:
    """Whatever it did when it was stopped: its run is over."""
    async with opened(project) as app:
        job = await app.start(review, name=name)
        await begun(app)
        run = app.worker.runs[job.job_id]
        app._loop.call_soon(app.worker.stop_for_attention, run, "its code has changed")
        await status(app, job.job_id, "needs_attention")
        held.set()

        await app.answer_task(task_of(job.job_id), APPROVED, by="ann")

        assert (await row(app, job.job_id)).want == "attention"
        await app.go_on(job.job_id)
        assert await result(app, job.job_id) == "approved, ann has looked, by ann, answered"
        details = await Insights(app.store).conversation(f"c{job.job_id[1:]}.2")
    assert (details.transcript[-1].kind, details.transcript[-1].by) == ("answered", "ann")


async def begun(app: App) -> None:
    """Wait until a skill call may have begun."""

    async def found() -> bool:
        return bool(await rows(app, "select 1 from entries where kind = 'intent'"))

    await eventually(found)


async def test_a_parked_task_is_answered_though_a_part_of_what_it_waits_for_has_come(
    opened: Open,
) -> None:
    async with opened(project) as app:
        job = await app.start(review, name="twofold")
        children = [f"{job.job_id}.2.2.{n}" for n in (0, 1)]
        for each in children:
            await idle(app, each)
        await park(app, job.job_id)
        await app.send_event(children[0], "word", "come")
        await status(app, children[0], "succeeded")

        await app.answer_task(task_of(job.job_id), APPROVED, by="ann")

        assert await result(app, job.job_id) == "approved, ann has looked, by ann, answered"
        await status(app, children[1], "cancelled")


async def test_any_process_may_answer(opened: Open, tmp_path: Any) -> None:
    async with opened(project) as app:
        job = await app.start(review, name="patient")
        await park(app, job.job_id)
    async with opened(Project("elsewhere")) as elsewhere:
        await Door(project, elsewhere.store).answer_task(task_of(job.job_id), APPROVED, by="ann")
    async with opened(project) as app:
        assert await result(app, job.job_id) == "approved, ann has looked, by ann, answered"
        await status(app, f"{job.job_id}.2.2.0", "cancelled")


async def test_of_two_who_answer_the_first_counts(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review, name="patient")
        await idle(app, job.job_id)
        answers = await asyncio.gather(
            *(app.answer_task(task_of(job.job_id), APPROVED, by=by) for by in ("ann", "bob")),
            return_exceptions=True,
        )
        [refused] = [each for each in answers if isinstance(each, Exception)]
        assert isinstance(refused, AlreadyAnswered)
        first = refused.source
        assert await result(app, job.job_id) == f"approved, ann has looked, by {first}, answered"


async def test_a_genie_that_was_first_has_answered(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review, name="modest")
        assert await result(app, job.job_id) == "flagged, says the genie, by the genie, answered"
        with pytest.raises(AlreadyAnswered, match="by genie modest") as refused:
            await app.answer_task(task_of(job.job_id), APPROVED, by="ann")
    assert refused.value.status == 409


async def test_a_task_that_is_worked_on_is_left_to_the_genie(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review, name="holding")
        await begun(app)
        with pytest.raises(TaskNotWaiting, match="its genie is asked, or a skill executes"):
            await app.answer_task(task_of(job.job_id), APPROVED, by="ann")
        held.set()
        assert await result(app, job.job_id) == "flagged, says the genie, by the genie, answered"


# --- what is checked ---


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"status": "perhaps", "reason": "x"}, "status: Input should be 'approved' or 'flagged'"),
        ({"status": "approved", "reason": " "}, "say why"),
        ("approved", "Input should be an object"),
    ],
)
async def test_an_answer_is_checked_like_the_genies(opened: Open, value: Any, problem: str) -> None:
    async with opened(project) as app:
        job = await app.start(review, name="patient")
        await idle(app, job.job_id)
        with pytest.raises(InputInvalid, match="Nothing was changed") as refused:
            await app.answer_task(task_of(job.job_id), value, by="ann")
        assert problem in refused.value.message
        with pytest.raises(InputInvalid, match="by= is empty"):
            await app.answer_task(task_of(job.job_id), APPROVED, by="")
        with pytest.raises(TaskNotFound):
            await app.answer_task("t0", APPROVED, by="ann")
        await app.cancel(job.job_id)


async def test_without_the_code_an_answer_is_checked_by_its_schema(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review, name="patient")
        await idle(app, job.job_id)
        door = JobsDoor(app.store)
        with pytest.raises(InputInvalid, match="'perhaps' is not one of"):
            await door.answer_task(
                task_of(job.job_id), {"status": "perhaps", "reason": "x"}, by="ann"
            )
        await door.answer_task(task_of(job.job_id), APPROVED, by="ann")
        app._loop.call_soon(app._look, None)  # what another process has written
        await result(app, job.job_id)


async def test_a_task_for_a_text_takes_a_text(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.assign(unlucky, "Pay.")
        await status(app, job.job_id, "needs_attention")
        with pytest.raises(InputInvalid, match="asks for a text"):
            await app.answer_task(task_of(job.job_id, 1), {"a": 1}, by="ann")
        await app.answer_task(task_of(job.job_id, 1), "Paid, says the bank.", by="ann")
        assert (await result(app, job.job_id))["output"] == "Paid, says the bank."


async def test_a_task_of_a_cancelled_job_is_not_answered(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(review, name="patient")
        await idle(app, job.job_id)
        await app.cancel(job.job_id)
        await status(app, job.job_id, "cancelled")
        with pytest.raises(Conflict, match="was cancelled"):
            await app.answer_task(task_of(job.job_id), APPROVED, by="ann")


# --- what the conversation says of it ---

ACCOUNT = "DE89 3704 0044 0532 0130 00"
shown: list[str] = []


@project.skill()
def transfer(account: Metadata[str]) -> str:
    """Transfer the money."""
    raise ConnectionError("the bank hung up")


@playbook
def transfers_once(turn: Turn) -> Call | Answer:
    if turn.instructions == "Transfer.":
        return Call("transfer")
    shown.extend(message.text for message in turn.history if isinstance(message, Told))
    return Answer("told")


banker = project.genie(
    "banker", model=transfers_once, job_description="You bank.", skills=[transfer]
)


async def test_a_genie_that_goes_on_knows_what_the_person_answered_but_nothing_sealed(
    opened: Open,
) -> None:
    shown.clear()
    terms: Any = {"metadata": {"account": Sealed(ACCOUNT)}}
    async with opened(project) as app:
        job = await app.assign(banker, "Transfer.", **terms)
        await status(app, job.job_id, "needs_attention")
        said = f"Done by phone, to {ACCOUNT}."
        await app.answer_task(task_of(job.job_id, 1), said, by="ann")
        assert (await result(app, job.job_id))["response"] == said
        conversation = f"c{job.job_id[1:]}.1"
        await app.assign_task(banker, "Tell them.", conversation=conversation, **terms)
    assert shown == [
        "Transfer.",
        "A person has answered this task in the genie's place:\nDone by phone, to «account».",
    ]
