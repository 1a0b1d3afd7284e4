"""A project in which one secret is wherever users put values, and much goes wrong."""

from __future__ import annotations

import contextlib

from tests.support import park, result, status

from lampwork import (
    Answer,
    App,
    Call,
    Calls,
    Job,
    Metadata,
    Poll,
    Project,
    Sealed,
    Turn,
    playbook,
)
from lampwork.errors import JobFailed, PollFailed
from lampwork.insights import Insights

CANARY = "K4N4R1-vogel"

project = Project("mine")


@project.skill(effect="idempotent")
def note(text: str, account: Metadata[str], pin: Metadata[str]) -> str:
    """Note something down."""
    return f"{text} of {account} {pin}"


@project.skill(effect="idempotent")
def stumble(text: str, account: Metadata[str]) -> str:
    """Fail."""
    raise ValueError(f"{text} and {account}")


@project.skill()
def pay(amount: str, account: Metadata[str]) -> str:
    """Pay, with an outcome that nobody knows."""
    raise ConnectionError(f"{amount} from {account}")


@playbook
def careful(turn: Turn) -> Call | Calls | Answer:
    if "raise" in turn.instructions:
        raise RuntimeError(f"what {turn.data} says")
    if turn.results:
        return Answer(f"said {CANARY}")
    return Calls(Call("note", text=CANARY), Call("stumble", text=CANARY))


@playbook
def risky(turn: Turn) -> Call | Answer:
    return Answer("paid") if turn.results else Call("pay", amount=CANARY)


clerk = project.genie("clerk", model=careful, job_description="A clerk.", skills=[note, stumble])
payer = project.genie("payer", model=risky, job_description="A payer.", skills=[pay])

GIVEN = {"account": CANARY, "pin": Sealed(f"sealed {CANARY}")}


def fetch(key: str) -> str:
    raise LookupError(f"no {key}")


@project.recipe()
async def works(job: Job, key: str) -> str:
    task = await job.assign_task(clerk, f"Note {key}.", data=key, metadata=GIVEN)
    await job.wait_for("go", str)
    return task.response


@project.recipe()
async def fails(job: Job, key: str) -> str:
    return await job.step(fetch, key)


@project.recipe()
async def breaks(job: Job, key: str) -> str:
    return (await job.assign_task(clerk, f"raise {key}", data=key)).response


@project.recipe()
async def pays(job: Job, key: str) -> str:
    task = await job.assign_task(payer, f"Pay {key}.", metadata={"account": key})
    return task.response


@project.recipe()
async def passes_over(job: Job, key: str) -> int:
    await job.wait_for("both are there", bool)
    return await job.wait_for("number", int)


async def broken() -> list[dict[str, str]]:
    raise OSError(f"no orders of {CANARY}")


@project.recipe(triggers=[Poll(broken, every=3600, key="id")])
async def ships(job: Job, order: dict[str, str]) -> str:
    return order["id"]


async def orders() -> list[dict[str, str]]:
    return [{"id": CANARY, "nothing": CANARY}, {"no": CANARY}]


@project.recipe(triggers=[Poll(orders, every=3600, key="id")])
async def packs(job: Job, number: int) -> int:
    return number


async def everything(app: App) -> list[str]:
    """Have all of it happen; the jobs, in order."""
    waiting = await app.start(works, key=CANARY)
    await status(app, waiting.job_id, "suspended")
    await park(app, waiting.job_id)
    await app.send_event(waiting.job_id, "go", CANARY)
    jobs = [waiting.job_id]
    for recipe in (fails, breaks, passes_over):
        jobs.append((await app.start(recipe, key=CANARY)).job_id)
        if recipe is passes_over:
            await app.send_event(jobs[-1], "number", CANARY)
            await app.send_event(jobs[-1], "number", 7)
            await app.send_event(jobs[-1], "both are there", True)
    for job_id in jobs:
        with contextlib.suppress(JobFailed):
            await result(app, job_id)
    paying = await app.start(pays, key=CANARY)
    await status(app, paying.job_id, "needs_attention")
    [wait] = (await Insights(app.store).view(paying.job_id)).waiting_on
    assert wait.wait_id is not None
    await app.resolve(wait.wait_id, "happened", result=CANARY, by="ann")
    await result(app, paying.job_id)
    with contextlib.suppress(PollFailed):
        await app.fire(ships)
    await app.fire(packs)
    return [*jobs, paying.job_id]
