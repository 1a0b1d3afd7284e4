"""The tasks above a job: who delegated to whom, and what that limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork.store.schema import budgets as budgets_table
from lampwork.store.schema import tasks
from lampwork.store.spending.budgets import Chain


def _from_below() -> sa.Select[*tuple[Any, ...]]:
    """A task and those above it, the highest first, each with its budget."""
    above = sa.select(tasks).where(tasks.c.id == sa.bindparam("task")).cte("above", recursive=True)
    above = above.union_all(sa.select(tasks).join(above, tasks.c.id == above.c.parent_id))
    given = budgets_table.c
    return (
        sa.select(
            above.c.genie,
            above.c.depth,
            above.c.deadline,
            above.c.deadline_budget,
            given.id.label("budget"),
            given.limit_nanodollars,
            given.limit_depth,
        )
        .outerjoin(budgets_table, given.id == above.c.id)
        .order_by(above.c.depth)
    )


_lineage = _from_below()


@dataclass(frozen=True, slots=True)
class Lineage:
    """The tasks above a job, through whose skill calls it came to be."""

    task_id: str | None = None
    """The nearest of them."""
    genies: tuple[str, ...] = ()
    """Who works on them, the nearest last."""
    budgets: Chain = ()
    limits_money: bool = False
    """Whether one of these limits money."""
    deepest: int | None = None
    """How many tasks may stand one below the other in all, by the budgets."""
    deadline: float | None = None
    deadline_budget: str | None = None


def lineage_of(connection: sa.Connection, task: str | None) -> Lineage:
    """A task and those above it."""
    if task is None:
        return Lineage()
    rows = connection.execute(_lineage, {"task": task}).all()
    nearest = rows[-1]
    deepest = [row.depth + row.limit_depth - 1 for row in rows if row.limit_depth is not None]
    return Lineage(
        task_id=task,
        genies=tuple(row.genie for row in rows),
        budgets=tuple(row.budget for row in reversed(rows) if row.budget is not None),
        limits_money=any(row.limit_nanodollars is not None for row in rows),
        deepest=min(deepest, default=None),
        deadline=nearest.deadline,
        deadline_budget=nearest.deadline_budget,
    )
