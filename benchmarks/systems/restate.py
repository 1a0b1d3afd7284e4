"""Restate without an agent: a handler that has the same seven operations as recorded calls."""

# `from __future__ import annotations` would have the SDK evaluate them at each recorded call.

from contextlib import AbstractAsyncContextManager
from typing import Any

import restate

from benchmarks import work
from benchmarks.systems import Opened, Place
from benchmarks.systems.restate_server import served

PACKAGES = ("restate-sdk", "hypercorn")

service = restate.Service("bench")


async def fetch(number: int) -> work.Invoice:
    return work.invoice(number)


async def model_turn(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"tool": name, "arguments": arguments}


async def find_purchase_order(vendor: str) -> dict[str, Any]:
    return work.purchase_order(vendor)


async def approve_invoice(note: str) -> dict[str, Any]:
    return work.receipt(note)


async def archive(bill: work.Invoice, verdict: work.Verdict) -> str:
    return work.archived(bill, verdict)


@service.handler()
async def recipe(ctx: restate.Context, number: int) -> str:
    plain = restate.RunOptions[Any]()
    bill = await ctx.run_typed("fetch", fetch, number=number)
    turn = await ctx.run_typed(
        "first turn", model_turn, plain, "find_purchase_order", {"vendor": bill.vendor}
    )
    await ctx.run_typed("find", find_purchase_order, plain, **turn["arguments"])
    turn = await ctx.run_typed(
        "second turn", model_turn, plain, "approve_invoice", {"note": work.REASON}
    )
    await ctx.run_typed("approve", approve_invoice, plain, **turn["arguments"])
    turn = await ctx.run_typed("third turn", model_turn, plain, "final", work.VERDICT)
    verdict = work.Verdict.model_validate(turn["arguments"])
    return await ctx.run_typed("archive", archive, plain, bill, verdict)


app = restate.app(services=[service])


def opened(place: Place) -> AbstractAsyncContextManager[Opened]:
    return served(place, recipe)
