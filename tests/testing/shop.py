"""A shop with sound recipes, and with some that are broken in the ways that happen."""

from __future__ import annotations

import itertools
import os
import uuid
from pathlib import Path

from lampwork import Answer, Call, Calls, Job, Metadata, Project, Retry, SkillCall, testing

project = Project("shop")


def ledger() -> Path:
    return Path(os.environ["SHOP_LEDGER"])


def book(what: str, key: str | None = None) -> str:
    """A service that does nothing twice under one key; without one it does all it is told."""
    done = [line.split("\t") for line in ledger().read_text().splitlines()]
    if key is None or [what, key] not in done:
        with ledger().open("a") as file:
            file.write(f"{what}\t{key or ''}\n")
    return f"receipt of {what}"


def bookings() -> list[testing.Effect]:
    done = [line.split("\t") for line in ledger().read_text().splitlines()]
    return [testing.Effect(what, key or None, result=f"receipt of {what}") for what, key in done]


def charge(job: Job, what: str) -> str:
    return book(what, job.step_key())


@project.skill(effect="idempotent")
def wire(cents: int, account: Metadata[str], call: SkillCall) -> str:
    """Wire money."""
    return book(f"{cents} to {account}", call.idempotency_key)


@project.skill()
def post(call: SkillCall) -> str:
    """Post a letter, once."""
    return book("letter", call.idempotency_key)


cashier = project.genie(
    "cashier", model="openai:gpt-5.2", job_description="You pay.", skills=[wire, post]
)
PAYS = testing.script(Calls(Call("wire", cents=500), Call("post")), Answer("paid"))


POSTS = testing.script(Call("post"), Answer("posted"))


# --- sound ---


@project.recipe()
async def mail(job: Job) -> str:
    return (await job.assign_task(cashier, "Post.", metadata={"account": "none"})).response


@project.recipe()
async def refuse(job: Job) -> None:
    await job.step(charge, job, "fee")
    raise ValueError("refused")


async def ship(job: Job, item: str) -> str:
    await job.sleep(3600)
    return await job.step(charge, job, item)


_tries = itertools.count()


def unsteady(job: Job) -> str:
    if next(_tries) % 2 == 0:
        raise ConnectionError("try again")
    return book("unsteady", job.step_key())


@project.recipe()
async def order(job: Job, account: str) -> list[str]:
    fee = await job.step(charge, job, "fee")
    colour = await job.wait_for("colour", str, timeout=7200)
    task = await job.assign_task(cashier, "Pay.", metadata={"account": account})
    items = await job.map(ship, ["lamp", "oil"])
    again = await job.options(retry=Retry(3, delay=60)).step(unsteady, job)
    return [fee, colour, task.response, *items, again, str((await job.now()).year > 2000)]


# --- broken ---


@project.recipe()
async def careless(job: Job) -> str:
    """An effect outside of any step: it happens again on each replay."""
    await job.step(charge, job, "fee")
    book("gift")
    await job.step(charge, job, "parcel")
    return "done"


@project.recipe()
async def keyless(job: Job) -> str:
    """A step that does not pass its key on."""
    return await job.step(book, "gift")


def charge_anew(what: str) -> str:
    return book(what, str(uuid.uuid4()))


@project.recipe()
async def forgetful(job: Job) -> str:
    """A step that makes a new key at each attempt, in its function."""
    return await job.step(charge_anew, "fee")


@project.recipe()
async def rekeyed(job: Job) -> str:
    """A step that is given a new key at each replay."""
    return await job.options(key=str(uuid.uuid4())).step(charge, job, "fee")


@project.recipe()
async def fickle(job: Job) -> str:
    """A recipe whose calls depend on the process that it runs in."""
    await job.step(charge, job, "fee")
    await job.options(name=f"in {os.getpid()}").step(charge, job, "parcel")
    await job.step(charge, job, "end")
    return "done"


@project.recipe()
async def unsorted(job: Job) -> str:
    """A recipe that goes through a set: its order is another one in each process."""
    for parcel in {"lamp", "oil", "wick", "glass", "genie"}:
        await job.step(charge, job, parcel)
    return "done"


@project.recipe()
async def dated(job: Job) -> str:
    """A recipe whose output differs each time."""
    return await job.step(charge, job, "fee") + str(uuid.uuid4())


@project.recipe()
async def waiting(job: Job) -> str:
    return await job.wait_for("colour", str)
