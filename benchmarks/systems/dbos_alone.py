"""DBOS without an agent: the same seven operations (2 steps, 3 model turns, 2 skills) as steps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dbos import DBOS

from benchmarks import work
from benchmarks.systems import Opened, Place
from benchmarks.systems.dbos_engine import launched

PACKAGES = ("dbos", "SQLAlchemy")


@DBOS.step()
async def fetch(number: int) -> work.Invoice:
    return work.invoice(number)


@DBOS.step()
async def model_turn(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"tool": name, "arguments": arguments}


@DBOS.step()
async def find_purchase_order(vendor: str) -> dict[str, Any]:
    return work.purchase_order(vendor)


@DBOS.step()
async def approve_invoice(note: str) -> dict[str, Any]:
    return work.receipt(note)


@DBOS.step()
async def archive(bill: work.Invoice, verdict: work.Verdict) -> str:
    return work.archived(bill, verdict)


@DBOS.workflow()
async def recipe(number: int) -> str:
    bill = await fetch(number)
    turn = await model_turn("find_purchase_order", {"vendor": bill.vendor})
    await find_purchase_order(**turn["arguments"])
    turn = await model_turn("approve_invoice", {"note": work.REASON})
    await approve_invoice(**turn["arguments"])
    turn = await model_turn("final", work.VERDICT)
    return await archive(bill, work.Verdict.model_validate(turn["arguments"]))


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Opened]:
    with launched(place) as durability:
        yield Opened(recipe, durability)
