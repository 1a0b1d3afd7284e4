"""pydantic-ai on DBOS: the `DBOSDurability` capability, `agent.run()` inside a DBOS workflow.

As pydantic-ai's documentation has it; model requests become DBOS steps, and skills are made steps
by decorating them, because they do I/O. (Its `DBOSAgent` is deprecated for the capability.)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dbos import DBOS
from pydantic_ai.durable_exec.dbos import DBOSDurability

from benchmarks import work
from benchmarks.systems import Opened, Place, scripted
from benchmarks.systems.dbos_engine import launched

PACKAGES = ("pydantic-ai-slim", "dbos", "SQLAlchemy")

clerk = scripted.clerk(DBOSDurability())


@clerk.tool_plain
@DBOS.step()
async def find_purchase_order(vendor: str) -> dict[str, Any]:
    """Find the purchase order of a vendor."""
    return work.purchase_order(vendor)


@clerk.tool_plain
@DBOS.step()
async def approve_invoice(note: str) -> dict[str, Any]:
    """Approve the invoice. Use it when the amounts match the purchase order."""
    return work.receipt(note)


@DBOS.step()
async def fetch(number: int) -> work.Invoice:
    return work.invoice(number)


@DBOS.step()
async def archive(bill: work.Invoice, verdict: work.Verdict) -> str:
    return work.archived(bill, verdict)


@DBOS.workflow()
async def recipe(number: int) -> str:
    bill = await fetch(number)
    answer = await clerk.run(scripted.brief(bill))
    return await archive(bill, answer.output)


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Opened]:
    with launched(place) as durability:
        yield Opened(recipe, durability)
