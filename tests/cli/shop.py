"""The small project in whose folder tests type `lampwork`."""

from __future__ import annotations

PROJECT = '''
import os
from pathlib import Path

from pydantic import BaseModel

from lampwork import (
    Answer, Call, Calls, CannotComplete, Job, Metadata, Project, SkillCall, Turn, playbook
)

project = Project("shop")


class Verdict(BaseModel):
    status: str
    reason: str


def note(effect: str) -> int:
    """Write an effect down where the test counts it; the process that did it."""
    with Path("effects.txt").open("a") as file:
        file.write(effect + "\\n")
    return os.getpid()


@project.skill(effect="idempotent")
def approve_invoice(text: str, invoice_id: Metadata[str]) -> str:
    """Approve the invoice."""
    note(f"approved {invoice_id}")
    return f"approved {invoice_id}: {text}"


@project.skill()
def pay(amount: int) -> str:
    """Pay an amount."""
    note(f"paid {amount}")
    if Path("broken").exists():
        raise ConnectionError("the bank hung up")
    return f"receipt for {amount}"


@playbook
def clerk(turn: Turn) -> Calls | Answer:
    if not turn.results:
        spoofed = Call("approve_invoice", text="fine", invoice_id="EVIL")
        return Calls(spoofed, Call("approve_invoice", text="fine"))
    return Answer({"status": "approved", "reason": turn.results[-1].value})


@playbook
def teller(turn: Turn) -> Call | Answer | CannotComplete:
    if "gold" in turn.instructions:
        return CannotComplete("there is no gold", ["gold"])
    if not turn.results:
        return Call("pay", amount=3)
    return Answer(f"done: {turn.results[-1].value}")


finance = project.genie(
    "finance", model=clerk, job_description="You check invoices.", skills=[approve_invoice]
)

@project.skill(effect="idempotent")
def summarise(names: list[str], call: SkillCall) -> str:
    """Save a summary."""
    call.save_artifact("summary.txt", b"All of it said.", "text/plain")
    return " and ".join(names)


@playbook
def reading(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("summarise", names=[file.name for file in turn.files])
    return Answer(f"I read {turn.results[0].value}.")


scribe = project.genie(
    "scribe", model=reading, job_description="You read.", skills=[summarise]
)
cashier = project.genie("cashier", model=teller, job_description="You pay.", skills=[pay])


@project.recipe()
async def add(job: Job, a: int, b: int = 2) -> int:
    """Add two numbers."""
    print("a recipe may print")
    return a + b


@project.recipe()
async def fails(job: Job) -> None:
    raise ValueError("the shop is closed")


@project.recipe()
async def where(job: Job) -> int:
    return await job.step(os.getpid)


@project.recipe()
async def delegates_where(job: Job) -> int:
    return await job.call(where)


@project.recipe()
async def asks(job: Job) -> str:
    await job.step(note, f"asked by {job.id}")
    answer = await job.wait_for("go", str)
    await job.step(note, f"answered {answer}")
    return answer


@project.recipe()
async def holds_on(job: Job) -> str:
    return await job.wait_for("go", str)


@project.recipe()
async def calls_asks(job: Job) -> str:
    job.log("about to ask")
    return await job.call(asks)


def risk() -> int:
    note("risked")
    return 5


@project.recipe()
async def risky(job: Job) -> int:
    await job.wait_for("go", bool)
    return await job.options(effect="at_most_once").step(risk)


def hold() -> str:
    """Executes until the test writes into the pipe."""
    note("held")
    return Path("pipe").read_text()


@project.recipe()
async def holds(job: Job) -> str:
    return await job.step(hold)


@project.recipe()
async def review(job: Job, invoice: str) -> Verdict:
    task = await job.assign_task(
        finance,
        "Check the invoice.",
        data={"total": 12},
        metadata={"invoice_id": invoice},
        output=Verdict,
    )
    return task.output


@project.skill()
def settle(amount: int, invoice_id: Metadata[str]) -> str:
    """Settle an invoice."""
    raise ConnectionError("the bank hung up")


bursar = project.genie(
    "bursar",
    model=playbook(lambda turn: Answer("done") if turn.results else Call("settle", amount=3)),
    job_description="You settle.",
    skills=[settle],
)


@project.skill(effect="idempotent")
def weigh(parcel: str) -> str:
    """Weigh a parcel."""
    raise ValueError(f"no scales for {parcel}")


@playbook
def porter(turn: Turn) -> Call | Answer:
    return Answer("no weight") if turn.results else Call("weigh", parcel="P1")


carrier = project.genie("carrier", model=porter, job_description="You carry.", skills=[weigh])


@project.recipe()
async def carries(job: Job) -> str:
    return (await job.assign_task(carrier, "Weigh the parcel.")).response


@project.recipe()
async def pays_and_asks(job: Job) -> str:
    task = await job.assign_task(cashier, "Pay the invoice.")
    return task.response + await job.wait_for("go", str)


def drop() -> None:
    raise ConnectionError("it fell")


@project.recipe()
async def drops(job: Job) -> None:
    await job.step(drop)


@project.recipe()
async def delegates(job: Job) -> None:
    await job.call(drops)


def deliver() -> None:
    note("delivered")
    if Path("blocked").exists():
        raise ConnectionError("the road is closed")


@project.recipe()
async def ships(job: Job) -> str:
    task = await job.assign_task(cashier, "Pay the postage.")
    await job.step(deliver)
    return task.response


@project.recipe()
async def risks(job: Job) -> None:
    await job.options(effect="at_most_once").step(drop)


@project.recipe()
async def risks_below(job: Job) -> None:
    await job.call(risks)


@project.recipe()
async def pays(job: Job) -> str:
    task = await job.assign_task(cashier, "Pay the invoice.")
    return task.response
'''
