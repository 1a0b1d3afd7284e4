"""The work that every system does, and what it must give.

A durable recipe: fetch an invoice; a clerk decides on it in three model turns, with two skill
calls and a typed verdict; archive the verdict. The model is scripted and has no latency, so that
what is measured is the system.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

JOB_DESCRIPTION = (
    "You are the finance clerk of a trading company. Check each invoice against its purchase "
    "order. Approve it when the amounts match; else ask for documents or flag it. Give reasons."
)
INSTRUCTIONS = "Check this invoice against its purchase order and decide."
REASON = "The amounts of the invoice and of its purchase order match."

MODEL_SECONDS = 0.05
"""What a model turn takes where its latency is part of what is measured."""

FAN_TURNS = 3
"""Such turns of a task: it looks something up in each but the last."""

SYSTEMS = {
    "lampwork": "Lampwork",
    "langgraph": "LangChain agent in LangGraph, its saver for the database, durability=sync",
    "pydantic_ai_dbos": "pydantic-ai on DBOS (DBOSDurability, skills as DBOS steps)",
    "dbos_alone": "DBOS alone, the same seven operations as plain steps",
    "pydantic_ai_restate": "pydantic-ai on Restate (RestateAgent, skills as recorded calls); "
    "a server and a service",
    "restate": "Restate alone, the same seven operations as recorded calls; a server and a service",
}
"""The module in `benchmarks.systems`, and what it is."""


class Invoice(BaseModel):
    id: str
    vendor: str
    cents: int


class Verdict(BaseModel):
    status: Literal["approved", "needs_documents", "flagged"]
    reason: str


VERDICT: dict[str, Any] = {"status": "approved", "reason": REASON}


def invoice(number: int) -> Invoice:
    return Invoice(id=f"INV-{number:06}", vendor=f"Vendor {number % 17}", cents=125_00 + number)


def purchase_order(vendor: str) -> dict[str, Any]:
    return {"vendor": vendor, "lines": [{"item": "Lamp", "pieces": 5, "cents": 25_00}]}


def receipt(note: str) -> dict[str, Any]:
    return {"approved": True, "note": note}


def archived(bill: Invoice, verdict: Verdict) -> str:
    return f"{bill.id}: {verdict.status}"


def verify(number: int, result: object) -> None:
    """Refuse a system that is fast because it did something else."""
    expected = archived(invoice(number), Verdict.model_validate(VERDICT))
    if result != expected:
        raise AssertionError(f"recipe {number} gave {result!r}, not {expected!r}")
