"""The scripted clerk that stands in for a model. It reads the paper it is given and compares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lampwork import Answer, Call, CannotComplete, Turn, playbook


@dataclass(frozen=True)
class Decision:
    status: str
    reason: str
    skill: str
    arguments: dict[str, Any]


@playbook
def clerk(turn: Turn) -> Call | Answer | CannotComplete:
    decision = decide(turn.files[0].text, turn.data["purchase_order"])
    errors = [result.error for result in turn.results if result.error]
    if len(errors) == 2:
        return CannotComplete(f"{decision.skill} failed twice: {errors[-1]}")
    if len(errors) == len(turn.results):
        return Call(decision.skill, **decision.arguments)
    return Answer({"status": decision.status, "reason": decision.reason})


def decide(paper: str, order: dict[str, Any] | None) -> Decision:
    """Weighs the supplier's paper against the purchase order, as finance.md says."""
    if order is None:
        return _needs(["purchase order number"])
    if mismatches := list(_mismatches(paper, order)):
        reason = "; ".join(mismatches)
        return Decision("flagged", reason, "flag_for_review", {"reason": reason})
    enclosed = _field(paper, "Enclosed")
    if missing := [name for name in order["documents"] if name not in enclosed]:
        return _needs(missing)
    note = f"total {order['total']}, supplier and bank account as on {order['number']}"
    return Decision("approved", note, "approve_invoice", {"note": note})


def _needs(documents: list[str]) -> Decision:
    reason = f"missing: {', '.join(documents)}"
    return Decision("needs_documents", reason, "request_documents", {"documents": documents})


def _mismatches(paper: str, order: dict[str, Any]) -> Iterator[str]:
    total = Decimal(_field(paper, "Total due").removeprefix("EUR ").replace(",", ""))
    if total != Decimal(order["total"]):
        yield f"total is {total}, the purchase order says {order['total']}"
    lines = [Decimal(amount.replace(",", "")) for amount in _AMOUNT.findall(paper)]
    if sum(lines) != total:
        yield f"the lines add up to {sum(lines)}, not to {total}"
    sender = paper.removeprefix("[page 1]").split("\n", 2)[1]
    if sender != order["supplier"]:
        yield f"sent by {sender}, ordered from {order['supplier']}"
    if (account := _field(paper, "Bank account")) != order["bank_account"]:
        yield f"bank account {account} is not the one on the purchase order"


_AMOUNT = re.compile(r"· ([\d,]+\.\d\d)$", re.MULTILINE)


def _field(paper: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*)$", paper, re.MULTILINE)
    return found[1].strip() if found else ""
