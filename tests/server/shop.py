"""A shop, as a client finds it on a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from lampwork import Answer, Call, Cron, Job, Metadata, Project, Turn, playbook
from lampwork.client import Client

__all__ = ["Receipt", "of", "project"]

project = Project("shop", "The shop")


@dataclass(frozen=True)
class Receipt:
    """What an order has come to."""

    item: str
    colour: str


@project.skill(effect="idempotent")
def approve(note: str, invoice_id: Metadata[str]) -> str:
    """Approve the invoice."""
    return f"approved {invoice_id}"


@playbook
def clerk(turn: Turn) -> Call | Answer:
    return Answer("done") if turn.results else Call("approve", note="fine")


finance = project.genie("finance", model=clerk, job_description="You check.", skills=[approve])
greeter = project.genie(
    "greeter", model=playbook(lambda turn: Answer("hello")), job_description="You greet."
)


@project.recipe()
async def order(job: Job, item: str) -> Receipt:
    """Take an order."""
    return Receipt(item, await job.wait_for("colour", str))


@project.recipe(triggers=[Cron("0 6 * * *")])
async def review(job: Job, invoice: str = "I-1") -> str:
    task = await job.assign_task(finance, "Check it.", metadata={"invoice_id": invoice})
    return task.response


@project.recipe()
async def keep(job: Job, line: dict[str, Any], receipts: list[Any]) -> dict[str, Any]:
    return {"line": line, "receipts": receipts, "seen": await job.wait_for("seen", Any)}


@project.recipe()
async def breaks(job: Job) -> None:
    raise ValueError("no lamp")


def of(api: httpx.AsyncClient, **given: Any) -> Client:
    return Client(str(api.base_url), **given)
