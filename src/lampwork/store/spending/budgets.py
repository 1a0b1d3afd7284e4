"""Budgets: what tasks and those below them may spend, and have spent. Money is in nanodollars.

Every function runs inside one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import BudgetExceeded, BudgetNotEnforceable, LampworkError
from lampwork.store.schema import budgets
from lampwork.types import Json

__all__ = [
    "Chain",
    "Limit",
    "LimitMet",
    "amount",
    "chain_of",
    "exceeded",
    "get",
    "not_enforceable",
    "open_budget",
    "some",
]

Chain = tuple[str, ...]
"""The ids of the budgets that count for a task, the nearest first."""

Limit = Literal["tokens", "dollars", "model_calls", "skill_calls", "seconds"]

_insert = sa.insert(budgets)
_get = sa.select(budgets).where(budgets.c.id == sa.bindparam("budget"))


def open_budget(
    connection: sa.Connection,
    task: str,
    parent: str | None,
    limits: Mapping[str, Json],
    nanodollars: int | None,
    begun_at: float,
) -> None:
    """The budget that a task is given, under the nearest one above; its time has `begun_at`."""
    connection.execute(
        _insert,
        {
            "id": task,
            "parent_id": parent,
            "limits": dict(limits),
            "limit_tokens": limits.get("tokens"),
            "limit_nanodollars": nanodollars,
            "limit_model_calls": limits.get("model_calls"),
            "limit_skill_calls": limits.get("skill_calls"),
            "limit_depth": limits.get("depth"),
            "begun_at": begun_at,
        },
    )


class LimitMet(LampworkError):
    """A budget does not hold what comes next. It never leaves the task: see `exceeded`."""

    def __init__(self, budget: str, limit: Limit, what: str) -> None:
        super().__init__(f"budget {budget}: {what}")
        self.budget = budget
        self.limit: Limit = limit
        self.what = what


def exceeded(connection: sa.Connection, met: LimitMet) -> BudgetExceeded:
    """The error that a task ends with, with what its budget has spent by now."""
    row = get(connection, met.budget)
    limit: Limit = met.limit
    spent: dict[str, Json] = {
        "tokens": row.spent_tokens,
        "dollars": row.spent_nanodollars / 1_000_000_000,
        "model_calls": row.spent_model_calls,
        "skill_calls": row.spent_skill_calls,
        "seconds": round(clock.now() - row.begun_at, 3),
    }
    return BudgetExceeded(
        f"The budget of task {row.id} allows {amount(limit, row.limits[limit])}, "
        f"{amount(limit, spent[limit])} of it spent: {met.what}. "
        "Give the task a larger budget, or less to do.",
        limit=limit,
        budget=row.limits,
        budget_of=row.id,
        spent=spent,
    )


def amount(limit: Limit, count: float) -> str:
    """So much of what is limited, for people."""
    match limit:
        case "dollars":
            return f"${count:,.9f}".rstrip("0").rstrip(".")
        case "seconds":
            return f"{count:g} s"
        case _:
            name = limit.replace("_", " ")
            return f"{count:,} {name.removesuffix('s') if count == 1 else name}"


def not_enforceable(model: str) -> BudgetNotEnforceable:
    """The error of a task whose model has no known price, under a budget that limits money."""
    return BudgetNotEnforceable(
        f"The price of {model} is not known, so a budget in dollars can't be kept. "
        "Say what it costs, Model(…, price=Price(input=…, output=…)), or limit tokens instead.",
        model=model,
    )


def get(connection: sa.Connection, budget: str) -> sa.Row[Any]:
    """One of them."""
    return connection.execute(_get, {"budget": budget}).one()


def chain_of(connection: sa.Connection, budget: str | None) -> Chain:
    """A budget and those above it."""
    chain: list[str] = []
    while budget is not None:
        chain.append(budget)
        budget = get(connection, budget).parent_id
    return tuple(chain)


def some(connection: sa.Connection, ids: Sequence[str]) -> Sequence[sa.Row[Any]]:
    """These budgets."""
    return connection.execute(sa.select(budgets).where(budgets.c.id.in_(ids))).all()
