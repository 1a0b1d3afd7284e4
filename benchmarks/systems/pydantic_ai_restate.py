"""pydantic-ai on Restate: `RestateAgent` of its Python SDK, `run()` inside a handler.

As Restate's documentation has it: `RestateAgent` records each answer of the model, and a tool does
what it does in `restate_context().run_typed()`. The server and hypercorn are those of
`restate_server.py`.
"""

# Without `from __future__ import annotations`, see restate.py.

from contextlib import AbstractAsyncContextManager
from typing import Any

import restate
from restate.ext.pydantic import RestateAgent, restate_context

from benchmarks.systems import Opened, Place, scripted
from benchmarks.systems import restate as plain
from benchmarks.systems.restate_server import served

PACKAGES = ("pydantic-ai-slim", "restate-sdk", "hypercorn")

clerk = scripted.clerk()


@clerk.tool_plain
async def find_purchase_order(vendor: str) -> dict[str, Any]:
    """Find the purchase order of a vendor."""
    return await restate_context().run_typed("find", plain.find_purchase_order, vendor=vendor)


@clerk.tool_plain
async def approve_invoice(note: str) -> dict[str, Any]:
    """Approve the invoice. Use it when the amounts match the purchase order."""
    return await restate_context().run_typed("approve", plain.approve_invoice, note=note)


durable_clerk = RestateAgent(clerk)
service = restate.Service("bench")


@service.handler()
async def recipe(ctx: restate.Context, number: int) -> str:
    bill = await ctx.run_typed("fetch", plain.fetch, number=number)
    answer = await durable_clerk.run(scripted.brief(bill))
    return await ctx.run_typed("archive", plain.archive, bill=bill, verdict=answer.output)


app = restate.app(services=[service])


def opened(place: Place) -> AbstractAsyncContextManager[Opened]:
    return served(place, recipe)
