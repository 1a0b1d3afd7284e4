"""What type checkers infer, each as a reader expects it. It is checked, and never executed."""

from __future__ import annotations

import functools
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, assert_type
from uuid import UUID

from pydantic import Field

from lampwork import (
    AcceptanceCheck,
    Answer,
    App,
    Artifact,
    Call,
    Calls,
    CannotComplete,
    CheckCall,
    DidNotHappen,
    Happened,
    Job,
    JobRef,
    LampworkError,
    Metadata,
    OrchestrationLimits,
    Orchestrator,
    Plan,
    Project,
    RateLimit,
    Recipe,
    Report,
    ReportSection,
    Retention,
    Section,
    Skill,
    SkillCall,
    StillUnknown,
    Subtask,
    SubtaskInput,
    TaskAnswer,
    Turn,
    testing,
)
from lampwork.errors import JobFailed

from . import orders
from .orders import Order, Parcel, Refund, Verdict
from .project import (
    clerk,
    clerk_script,
    decide,
    look_up,
    porter,
    porter_script,
    post,
    project,
    refund,
    report,
    review,
    shelve,
    was_refunded,
    weigh,
    write_off,
)


async def steps(job: Job, order: Order) -> None:
    """A step gives what its function returns, plain or async, with options or without."""
    assert_type(await job.step(orders.find, "o-1"), Order)
    assert_type(await job.step(orders.returned, at_most=3), list[Order])
    assert_type(await job.step(orders.weigh, order, wrapped=True), int)
    assert_type(await job.step(lambda: [1]), list[int])
    assert_type(await job.step(functools.partial(orders.find, "o-1")), Order)
    assert_type(await job.step(look_up, "o-1"), Order)
    assert_type(
        await job.options(effect="at_most_once", key="k").step(orders.returned), list[Order]
    )
    assert_type(job.step_key(), str)


async def tasks(job: Job, schema: dict[str, Any], kind: type[Verdict] | None) -> None:
    """An answer is of the type that was asked for."""
    assert_type(await job.assign_task(clerk, "Decide."), TaskAnswer[str])
    assert_type(await job.assign_task(clerk, "Decide.", output=None), TaskAnswer[str])
    assert_type(await job.assign_task(clerk, "Decide.", output=Verdict), TaskAnswer[Verdict])
    assert_type(await job.assign_task(clerk, "Decide.", output=Order), TaskAnswer[Order])
    assert_type(await job.assign_task(clerk, "Decide.", output=Parcel), TaskAnswer[Parcel])
    assert_type(
        await job.assign_task(clerk, "Decide.", output=list[Order]), TaskAnswer[list[Order]]
    )
    assert_type(
        await job.assign_task(clerk, "Decide.", output=Verdict | Order), TaskAnswer[Verdict | Order]
    )
    assert_type(
        await job.assign_task(clerk, "Decide.", output=Literal["yes", "no"]),
        TaskAnswer[Literal["yes", "no"]],
    )
    assert_type(
        await job.assign_task(clerk, "Decide.", output=Annotated[int, Field(gt=0)]), TaskAnswer[int]
    )
    assert_type(await job.assign_task(clerk, "Decide.", output=schema), TaskAnswer[Any])
    assert_type(await job.assign_task(clerk, "Decide.", output={"type": "object"}), TaskAnswer[Any])
    task = await job.assign_task(clerk, "Decide.", output=kind)
    assert_type(task.output, Verdict | str)
    assert_type(task.artifacts, tuple[Artifact, ...])
    assert_type(task.metadata, dict[str, Any])
    assert_type(task.usage, dict[str, int])
    assert_type(task.answered_by, str | None)
    assert_type(await job.read_artifact(task.artifacts[0]), bytes)


async def jobs(job: Job, orders: list[Order]) -> None:
    """Child jobs give what their recipe returns."""
    assert_type(await job.call(decide, "o-1"), Verdict)
    assert_type(await job.call(review), list[str])
    assert_type(await job.start(weigh, order_id="o-1"), JobRef)
    assert_type(await job.map(post, orders), list[Parcel])
    assert_type(await job.map(post, orders, on_error="raise"), list[Parcel])
    assert_type(await job.map(post, orders, on_error="collect"), list[Parcel | JobFailed])
    assert_type(await job.map(decide, ["o-1"], limit=2), list[Verdict])
    job.on_end(report, "done")
    job.on_end(decide, order_id="o-1")
    job.on_end(print_it, "done")


def print_it(what: str) -> None:
    """A function that takes no job."""


async def side_by_side(job: Job, order: Order) -> None:
    """Few calls keep the type of each; many have one for all."""
    weight, found = job.step(orders.weigh, order), job.step(orders.find, "o-1")
    verdict, heavy = job.call(decide, "o-1"), job.assign_task(porter, "Heavy?")
    parcels = job.map(post, [order])
    assert_type(await job.gather(weight, found), tuple[int, Order])
    assert_type(await job.gather(weight, found, verdict), tuple[int, Order, Verdict])
    assert_type(
        await job.gather(weight, found, verdict, heavy),
        tuple[int, Order, Verdict, TaskAnswer[str]],
    )
    assert_type(
        await job.gather(weight, found, verdict, heavy, parcels),
        tuple[int, Order, Verdict, TaskAnswer[str], list[Parcel]],
    )
    assert_type(await job.gather(*[weight, weight]), list[int])
    assert_type(await job.gather(weight), list[int])
    assert_type(
        await job.gather(weight, job.gather(found, verdict)), tuple[int, tuple[Order, Verdict]]
    )
    assert_type(
        await job.gather(weight, found, on_error="collect"),
        tuple[int | LampworkError, Order | LampworkError],
    )
    assert_type(
        await job.gather(weight, found, verdict, on_error="collect"),
        tuple[int | LampworkError, Order | LampworkError, Verdict | LampworkError],
    )
    assert_type(await job.gather(*[weight], on_error="collect"), list[int | LampworkError])


async def waits(job: Job) -> None:
    """An event is of the type that it is waited for as."""
    assert_type(await job.wait_for("paid"), Any)
    assert_type(await job.wait_for("paid", int), int)
    assert_type(await job.wait_for("paid", type=Refund, timeout=3600), Refund)
    assert_type(await job.wait_for("paid", list[Parcel]), list[Parcel])
    assert_type(await job.wait_for("paid", int | None), int | None)
    assert_type(await job.wait_for("paid", Literal["yes", "no"]), Literal["yes", "no"])
    assert_type(await job.sleep(timedelta(hours=1)), None)
    assert_type(await job.sleep_until(await job.now()), None)
    assert_type(await job.now(), datetime)
    assert_type(await job.uuid(), UUID)
    assert_type(await job.random(), float)


async def from_outside(app: App, schema: dict[str, Any]) -> None:
    """The door gives what the job does."""
    assert_type(await app.run(decide, order_id="o-1"), Verdict)
    assert_type(await app.run(decide, "o-1"), Verdict)
    assert_type(await app.run(review), list[str])
    job = await app.start(decide, order_id="o-1")
    assert_type(job, JobRef)
    assert_type(job.job_id, str)
    assert_type(await app.start(decide, order_id="o-1", idempotency_key="k"), JobRef)
    assert_type(await app.result(job), Any)
    assert_type(await app.result(job, Verdict), Verdict)
    assert_type(await app.result(job.job_id, Verdict | None), Verdict | None)
    assert_type(await app.assign_task(porter, "Heavy?"), TaskAnswer[str])
    assert_type(await app.assign_task(porter, "Heavy?", output=int), TaskAnswer[int])
    assert_type(await app.assign_task(porter, "Heavy?", output=schema), TaskAnswer[Any])
    assert_type(await app.assign(porter, "Heavy?", output=int), JobRef)
    assert_type(await app.retry(job), JobRef)
    assert_type(await app.fire(review), list[JobRef])


def in_scripts() -> None:
    """And so does a script."""
    assert_type(project.run(decide, order_id="o-1"), Verdict)
    assert_type(project.run(decide, order_id="o-1", home="state"), Verdict)


async def as_functions(job: Job, call: SkillCall, turn: Turn) -> None:
    """What is decorated is called like the function, and names its types."""
    assert_type(look_up("o-1"), Order)
    assert_type(await refund("fine", "o-1", call), Refund)
    assert_type(await refund(note="fine", order_id="o-1", call=call), Refund)
    assert_type(shelve("Emma", copies=2), None)
    assert_type(write_off("Emma"), bool)
    assert_type(await decide(job, "o-1"), Verdict)
    assert_type(await review(job), list[str])
    assert_type(clerk_script(turn), Call | Calls | Answer | CannotComplete)
    assert_type(await porter_script(turn), Answer)
    assert_type(await was_refunded("o-1", call), Happened[Refund] | DidNotHappen | StillUnknown)
    skill: Skill[[str], Order] = look_up
    recipe: Recipe[[str], Verdict] = decide
    assert_type(skill.name, str)
    assert_type(recipe.name, str)


def in_bodies(key: Metadata[str], keys: Metadata[list[int]], call: SkillCall) -> None:
    """A skill's body sees the value of its metadata."""
    assert_type(key, str)
    assert_type(keys, list[int])
    assert_type(call.idempotency_key, str)
    assert_type(call.user, str | None)


async def in_async_bodies(call: SkillCall) -> None:
    """An artifact can be awaited."""
    assert_type(await call.save_artifact("a.txt", b"", "text/plain"), Artifact)


def in_playbooks(turn: Turn) -> None:
    """What a playbook decides on."""
    assert_type(turn.instructions, str)
    assert_type(turn.skills, tuple[str, ...])
    assert_type(turn.number, int)


async def chats(app: App) -> None:
    """A reply is a text."""
    assert_type(await app.chat(porter, "Heavy?", user="ann"), TaskAnswer[str])
    assert_type(await app.send_message(porter, "Heavy?", user="ann"), JobRef)


async def in_tests(opening: testing.Opening) -> None:
    """The testing kit gives what the project itself does."""
    assert_type(opening.run(decide, order_id="o-1"), Verdict)
    async with opening as app:
        assert_type(app, testing.TestApp)
        assert_type(await app.run(decide, "o-1"), Verdict)
        assert_type(app.clock, testing.FakeClock)
        with testing.fails_at("skill.after_effect"):
            assert_type(await app.run(review), list[str])
    assert_type(opening.requests, list[testing.Request])
    assert_type(testing.POINTS["skill.after_effect"], str)
    assert_type(
        testing.crash_everywhere(decide, input={"order_id": "o-1"}, effects=paid, resolve=said),
        testing.CrashReport,
    )


async def in_recorded_tests(app: App) -> None:
    """A recording plays a genie."""
    assert_type(await testing.record(app, "c1", "clerk.json"), None)
    played = testing.recorded("clerk.json", skills="recorded")
    assert_type(played, testing.Recording)
    testing.opened(project, models={"clerk": played}, model=clerk_script)


def paid() -> list[testing.Effect]:
    """What the bank has paid."""
    return [testing.Effect("paid", key="k")]


def said(question: testing.Question) -> Happened[Refund] | DidNotHappen:
    """What became of it."""
    return Happened(Refund("o-1", question.key))


def found(report: testing.CrashReport) -> list[testing.Crash]:
    """What a crash test has found."""
    return [*report.crashes]


def kinds(recipes: Sequence[Recipe[..., Any]], skills: Sequence[Skill[..., Any]]) -> None:
    """Recipes and skills of any signature stand for all."""


kinds([decide, review], [look_up, refund])


def bounded(days: timedelta) -> Project:
    """Ages are texts or durations, rates are numbers, and nothing need be given."""
    rate = RateLimit(requests_per_minute=60)
    assert_type(rate.tokens_per_minute, int | None)
    kept = Retention(jobs=days, conversations="1y")
    assert_type(kept.every, str | timedelta)
    return Project("bounded", rate_limits={"openai": rate}, retention=kept, max_queued=10)


async def coroutine(job: Job) -> None:
    """A recipe's own coroutine can be given to asyncio."""
    started: Coroutine[Any, Any, Verdict] = decide(job, "o-1")
    await started


@project.acceptance_check
def is_polite(answer: TaskAnswer[str]) -> str | None:
    """The answer thanks the customer."""
    return None if "thank" in answer.output else "say thank you"


@project.acceptance_check
async def is_printed(answer: TaskAnswer[str], call: CheckCall) -> list[str]:
    """There is a letter to print."""
    assert_type(call.subtask, Subtask)
    assert_type(await call.read_file("letter.pdf"), bytes)
    return [] if call.inputs else ["it had no order"]


async def orchestrators(job: Job) -> None:
    """An orchestrator takes tasks as a genie does; its plan is typed data."""
    check: AcceptanceCheck[..., str | None] = is_polite
    assert_type(check.name, str)
    assert_type(is_polite(await job.assign_task(clerk, "Reply.")), str | None)
    reply = Subtask(
        id="reply",
        title="Reply",
        agent="clerk",
        brief="Reply to the customer.",
        inputs=[SubtaskInput(name="letter", request="data", field="letter")],
        checks=["is_polite"],
    )
    desk = project.orchestrator(
        "desk",
        model=clerk_script,
        job_description="You lead the desk.",
        agents=[clerk, porter],
        fallbacks={clerk: [porter]},
        plan=Plan(subtasks=[reply]),
        limits=OrchestrationLimits(parallel=2),
    )
    assert_type(desk, Orchestrator)
    task = await job.assign_task(desk, "Answer the letter.", output=Verdict)
    assert_type(task, TaskAnswer[Verdict])
    assert_type(task.sections, tuple[Section, ...])
    delivered = await job.assign_task(desk, "Report on the letters.", output=Report)
    assert_type(delivered, TaskAnswer[Report])
    assert_type(delivered.output.sections, list[ReportSection])
