"""Budgets as they are read: their limits, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lampwork.store.lists import queries
from lampwork.store.spending import budgets
from lampwork.types import Json
from lampwork.views import BudgetView

if TYPE_CHECKING:
    import sqlalchemy as sa


def budgets_of(
    connection: sa.Connection, tasks: Sequence[queries.Row]
) -> Mapping[str | None, BudgetView]:
    """By its id, each budget that is the nearest one of a task among these."""
    ids = {task.budget_id for task in tasks} - {None}
    rows = budgets.some(connection, sorted(ids)) if ids else ()
    return {row.id: _view(row) for row in rows}


def _view(row: queries.Row) -> BudgetView:
    return BudgetView(
        task=row.id,
        above=row.parent_id,
        limits=row.limits,
        spent=_figures(row, "spent") | {"skill_calls": row.spent_skill_calls},
        reserved=_figures(row, "reserved"),
        estimated=_figures(row, "estimated"),
    )


def _figures(row: queries.Row, kind: str) -> dict[str, Json]:
    return {
        "tokens": getattr(row, f"{kind}_tokens"),
        "dollars": getattr(row, f"{kind}_nanodollars") / 1_000_000_000,
        "model_calls": getattr(row, f"{kind}_model_calls"),
    }
