import os
import sqlite3
from contextlib import closing

from lampwork import Job, Metadata, Project, SkillCall

project = Project("refunds")


def bank() -> sqlite3.Connection:
    """Stands for a service that does nothing twice under one key."""
    bank = sqlite3.connect(os.environ["BANK"], isolation_level=None)
    bank.execute("create table if not exists bookings (what text, key text unique)")
    return bank


def book(what: str, key: str) -> None:
    with closing(bank()) as opened:
        opened.execute("insert or ignore into bookings values (?, ?)", (what, key))


@project.skill(effect="idempotent")
def wire(cents: int, account: Metadata[str], call: SkillCall) -> str:
    """Wire money to the customer."""
    book(f"{cents} to {account}", call.idempotency_key)
    return "wired"


cashier = project.genie(
    "cashier", model="openai:gpt-5.2", job_description="You pay back.", skills=[wire]
)


def charge_fee(job: Job) -> None:
    book("fee", job.step_key())


@project.recipe()
async def refund(job: Job, account: str) -> str:
    await job.sleep(24 * 3600)  # the customer may think again
    task = await job.assign_task(cashier, "Pay 5.00 back.", metadata={"account": account})
    await job.step(charge_fee, job)
    return task.response


@project.recipe()
async def goodwill(job: Job, account: str) -> str:
    task = await job.assign_task(cashier, "Pay 5.00 back.", metadata={"account": account})
    return task.response
