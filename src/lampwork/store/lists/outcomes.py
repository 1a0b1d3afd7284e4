"""What came of the last jobs of recipes, and how long they took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from lampwork.store.schema import jobs

__all__ = ["of_recipes"]


def of_recipes(
    connection: sa.Connection, project: str, recipes: Iterable[str], since: float, most: int
) -> Mapping[str, Sequence[sa.Row[*tuple[Any, ...]]]]:
    """Of each recipe the jobs that were accepted since then, the newest first, `most` at most."""
    newest = (
        sa.select(jobs.c.status, jobs.c.started_at, jobs.c.ended_at)
        .where(
            jobs.c.project == project,
            jobs.c.callable == sa.bindparam("recipe"),
            jobs.c.created_at >= since,
        )
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        .limit(most)
    )
    return {each: connection.execute(newest, {"recipe": each}).all() for each in recipes}
