"""Lampwork, through its public door, as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa

from benchmarks import durability, records, work
from benchmarks.systems import Opened, Place
from lampwork import Answer, App, Budget, Call, Job, Metadata, Project, Turn, playbook

PACKAGES = ("lampwork", "dbos", "pydantic-ai-slim", "SQLAlchemy")

BUDGET = Budget(model_calls=20, skill_calls=20, tokens=1_000_000, dollars=5)
"""Each model call is reserved for on disk before it is made, and settled after."""

project = Project("bench")


@playbook
def scripted(turn: Turn) -> Call | Answer:
    """Three turns: a skill, a skill, the verdict."""
    script = (
        Call("find_purchase_order", vendor="Vendor"),
        Call("approve_invoice", note=work.REASON),
        Answer(work.VERDICT),
    )
    return script[len(turn.results)]


@project.skill(effect="idempotent")
async def find_purchase_order(vendor: str) -> dict[str, Any]:
    """Find the purchase order of a vendor."""
    return work.purchase_order(vendor)


@project.skill(effect="idempotent")
async def approve_invoice(note: str, invoice_id: Metadata[str]) -> dict[str, Any]:
    """Approve the invoice. Use it when the amounts match the purchase order."""
    return work.receipt(note)


finance = project.genie(
    "finance",
    model=scripted,
    job_description=work.JOB_DESCRIPTION,
    skills=[find_purchase_order, approve_invoice],
)


async def fetch(number: int) -> work.Invoice:
    return work.invoice(number)


async def archive(bill: work.Invoice, verdict: work.Verdict) -> str:
    return work.archived(bill, verdict)


@project.recipe()
async def recipe(job: Job, number: int) -> str:
    bill = await job.step(fetch, number)
    task = await job.assign_task(
        finance,
        work.INSTRUCTIONS,
        data=bill.model_dump(),
        metadata={"invoice_id": bill.id},
        output=work.Verdict,
        budget=BUDGET,
    )
    return await job.step(archive, bill, task.output)


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Opened]:
    async with project.open(settings=records.settings(place)) as app:

        async def run(number: int) -> object:
            return await app.run(recipe, number=number)

        yield Opened(run, await promised(app, place.url))


async def promised(app: App, url: str | None) -> str:
    """Of the connections that commit: our writer's and the engine's, one promise or both."""

    def facts(connection: sa.Connection) -> list[Any]:
        asked = durability.questions(url)
        return [connection.exec_driver_sql(it).scalar_one() for it in asked]

    ours = durability.described(url, await app.store.write(facts))
    with app.worker.engine._database.connect() as connection:
        engines = durability.described(url, facts(connection))
    return ours if ours == engines else f"{ours}; engine {engines}"
