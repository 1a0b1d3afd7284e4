"""Programs that type checkers must refuse: before each such line, pyright's rule and mypy's code.

It is checked, and never executed.
"""

# What is not known because of an error is no error of its own.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownParameterType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterator

import lampwork
from lampwork import (
    Answer,
    App,
    Budget,
    Call,
    Cron,
    File,
    Happened,
    Job,
    Metadata,
    Poll,
    Project,
    Recent,
    Retry,
    Settings,
    SkillCall,
    Turn,
    playbook,
    testing,
)

from . import orders
from .orders import Order, Refund, Verdict
from .project import clerk, decide, look_up, post, refund, report, review, shelve, weigh

project = Project("wrong")
# wrong: reportAttributeAccessIssue | attr-defined
print(lampwork.Tasks)


async def steps(job: Job, order: Order) -> None:
    # wrong: reportArgumentType, reportCallIssue | call-overload
    await job.step(orders.find, 1)
    # wrong: reportCallIssue | call-overload
    await job.step(orders.find)
    # wrong: reportCallIssue | arg-type, call-arg
    await job.step(orders.weigh, order, wrap=True)
    # wrong: reportArgumentType, reportCallIssue | call-overload
    await job.step(orders.find("o-1"))
    # wrong: reportAssignmentType | call-overload
    title: str = await job.step(orders.find, "o-1")
    # wrong: reportAssignmentType | call-overload
    found: list[int] = await job.step(counted, 3)
    # wrong: reportAttributeAccessIssue | attr-defined
    print(job.step(orders.find, "o-1").title)
    # wrong: reportArgumentType | arg-type
    job.options(effect="sometimes")
    # wrong: reportArgumentType | arg-type
    job.options(retry=3)
    # wrong: reportArgumentType | arg-type
    job.options(timeout="5")
    print(title, found)


def counted(to: int) -> Iterator[int]:
    yield from range(to)


async def tasks(job: Job) -> None:
    task = await job.assign_task(clerk, "Decide.", output=Verdict)
    # wrong: reportAttributeAccessIssue | attr-defined
    print(task.output.amount)
    # wrong: reportAssignmentType | assignment
    text: str = task.output
    many = await job.assign_task(clerk, "Decide.", output=list[Verdict])
    # wrong: reportAttributeAccessIssue | attr-defined
    print(many.output.reason)
    plain = await job.assign_task(clerk, "Decide.")
    # wrong: reportAttributeAccessIssue | attr-defined
    print(plain.output.reason)
    # wrong: reportArgumentType, reportCallIssue | call-overload
    await job.assign_task(clerk, "Decide.", output=3)
    # wrong: reportCallIssue | call-overload
    await job.assign_task(clerk, "Decide.", metadat={})
    # wrong: reportArgumentType | call-overload
    await job.assign_task(clerk, "Decide.", metadata="o-1")
    # wrong: reportArgumentType | call-overload
    await job.assign_task(clerk, "Decide.", when_busy="fall")
    # wrong: reportArgumentType | call-overload
    await job.assign_task(clerk, "Decide.", budget=0.5)
    # wrong: reportArgumentType | call-overload
    await job.assign_task(clerk, "Decide.", history=2)
    # wrong: reportCallIssue | call-overload
    await job.assign_task(clerk)
    # wrong: reportArgumentType | call-overload
    await job.assign_task(decide, "Decide.")
    print(text)


async def jobs(job: Job, some: list[Order]) -> None:
    # wrong: reportCallIssue | call-arg
    await job.call(decide)
    # wrong: reportArgumentType | arg-type
    await job.call(decide, 7)
    # wrong: reportCallIssue | call-arg
    await job.call(decide, order="o-1")
    # wrong: reportArgumentType, reportCallIssue | arg-type
    await job.call(post, some[0])
    # wrong: reportArgumentType | arg-type
    await job.start(weigh, 7)
    # wrong: reportArgumentType | arg-type
    await job.map(post, ["o-1"])
    # wrong: reportArgumentType | arg-type
    await job.map(orders.weigh, some)
    sent = await job.map(post, some, on_error="collect")
    # wrong: reportIndexIssue | index
    print(sent[0]["grams"])
    # wrong: reportArgumentType, reportCallIssue | call-overload
    await job.map(post, some, on_error="ignore")
    weight, found = await job.gather(job.step(orders.weigh, some[0]), job.step(orders.find, "o-1"))
    # wrong: reportAttributeAccessIssue | attr-defined
    print(weight.title)
    # wrong: reportOperatorIssue | operator
    print(found + 1)
    # wrong: reportArgumentType | call-overload
    await job.gather(orders.returned())
    # wrong: reportArgumentType, reportCallIssue | call-overload
    await job.gather(orders.find, "o-1")
    # wrong: reportCallIssue | call-overload
    job.on_end(report)
    # wrong: reportArgumentType, reportCallIssue | call-overload
    job.on_end(report, 7)


async def waits(job: Job) -> None:
    # wrong: reportAssignmentType | arg-type
    paid: str = await job.wait_for("paid", int)
    # wrong: reportArgumentType | call-overload
    await job.wait_for("paid", 7)
    # wrong: reportArgumentType | call-overload
    await job.wait_for(int)
    # wrong: reportArgumentType | arg-type
    await job.sleep("5 s")
    print(paid)


async def from_outside(app: App) -> None:
    # wrong: reportCallIssue | call-arg
    await app.run(decide)
    # wrong: reportCallIssue | call-arg
    await app.run(decide, order="o-1")
    # wrong: reportArgumentType | arg-type
    await app.run(decide, order_id=7)
    # wrong: reportArgumentType, reportCallIssue | arg-type
    await app.run(orders.find, "o-1")
    # wrong: reportArgumentType | call-overload
    await app.start(decide, order_id=7)
    # wrong: reportAssignmentType | arg-type
    number: int = await app.run(decide, order_id="o-1")
    # wrong: reportAssignmentType | arg-type
    verdict: Verdict = await app.result("j1", Order)
    # wrong: reportCallIssue | call-overload
    project.run(decide)
    # wrong: reportArgumentType | call-overload
    project.run(decide, order_id=7)
    # wrong: reportArgumentType | arg-type
    with app.on_text(print_number):
        print(number, verdict)


async def in_tests(opening: testing.Opening) -> None:
    # wrong: reportArgumentType | arg-type
    opening.run(decide, order_id=7)
    # wrong: reportArgumentType | arg-type
    testing.script("done")
    # wrong: reportArgumentType | arg-type
    testing.opened(project, models=[clerk])
    # wrong: reportArgumentType | arg-type
    testing.recorded("clerk.json", skills="played")
    async with opening as app:
        # wrong: reportCallIssue | call-arg
        await app.chat(clerk, "Decide.")
        # wrong: reportArgumentType | arg-type
        testing.crash_everywhere(post)


def print_number(number: int) -> None:
    print(number)


# --- definitions ---


# wrong: reportArgumentType | arg-type
@project.recipe()
def no_async(job: Job) -> int:
    return 1


# wrong: reportArgumentType | arg-type
@project.recipe()
async def no_job(order_id: str) -> int:
    return len(order_id)


# wrong: reportArgumentType | list-item
@project.recipe(triggers=["0 3 * * *"])
async def no_trigger(job: Job) -> None: ...


# wrong: reportArgumentType | call-overload, untyped-decorator
@project.skill(effect="twice")
def no_effect(title: str) -> None: ...


# wrong: reportCallIssue, reportUntypedFunctionDecorator | call-overload, untyped-decorator
@project.skill(efect="read")
def no_option(title: str) -> None: ...


# wrong: reportArgumentType, reportCallIssue, reportUntypedFunctionDecorator | arg-type
@refund.reconcile
async def another_value(call: SkillCall) -> Happened[Order]:
    return Happened(orders.find("o-1"))


# wrong: reportArgumentType, reportCallIssue, reportUntypedFunctionDecorator | arg-type
@refund.reconcile
async def no_word(call: SkillCall) -> bool:
    return True


# wrong: reportArgumentType | type-var
@playbook
def no_decision(turn: Turn) -> str:
    return turn.instructions


# wrong: reportArgumentType | arg-type
@playbook
def no_turn(turn: int) -> Answer:
    return Answer(turn)


# wrong: reportMissingTypeArgument | type-arg
def unsaid(order_id: Metadata) -> None: ...


def metadata_as_another(order_id: Metadata[str]) -> int:
    # wrong: reportReturnType | return-value
    return order_id


# wrong: reportCallIssue | call-arg
project.genie("a", model="openai:gpt-5.2")
# wrong: reportArgumentType | arg-type
project.genie("b", model=7, job_description="")
# wrong: reportArgumentType | arg-type
project.genie("c", model=clerk, job_description="")
# wrong: reportArgumentType | list-item
project.genie("d", model="x:y", job_description="", skills=[orders.find])
# wrong: reportArgumentType | arg-type
project.knowledge("e", search=orders.find)
# wrong: reportArgumentType | arg-type
look_up(7)
# wrong: reportArgumentType | arg-type
shelve("Emma", copies="2")
# wrong: reportCallIssue | arg-type, call-arg, unused-coroutine
decide("o-1")
# wrong: reportCallIssue | call-arg, unused-coroutine
review(parcel=None)
# wrong: reportAttributeAccessIssue | misc
Refund("o-1", "k").order_id = "o-2"
# wrong: reportCallIssue | call-arg
Budget(dollar=1)
# wrong: reportArgumentType | arg-type
Budget(dollars="1")
# wrong: reportCallIssue | call-arg
Call("look_up", "o-1")
# wrong: reportArgumentType | arg-type
Cron("@daily", catch_up="twice")
# wrong: reportArgumentType | arg-type
File("a.txt", "text")
# wrong: reportArgumentType | arg-type
Poll(orders.weigh, every=5)
# wrong: reportArgumentType | arg-type
Poll(orders.returned, every="5 s")
# wrong: reportArgumentType | arg-type
Recent("2")
# wrong: reportArgumentType | arg-type
Retry(attempts="3")
# wrong: reportArgumentType | arg-type
Settings("state")
