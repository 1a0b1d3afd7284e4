"""Pages of what was found, the newest first, at a price that grows little with what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork.errors import InputInvalid, quoted

__all__ = ["FEW", "Condition", "Found", "any_row", "few", "newest", "no_cursor"]

Condition = sa.ColumnElement[bool]

FEW = 1000
"""Ids that are named in a query, where no more are meant."""


@dataclass(frozen=True, slots=True)
class Found:
    """A part of a list; `next`, if there may be more, is the id to go on after."""

    rows: Sequence[sa.Row[Any]]
    next: str | None


def newest(
    connection: sa.Connection,
    table: sa.Table,
    columns: Sequence[sa.Column[Any]],
    *,
    project: str | None,
    found_by: Sequence[Condition],
    looked_at: Sequence[Condition],
    after: str | None,
    limit: int,
    examined: int | None,
) -> Found:
    """Rows that fit both kinds of conditions: an index leads to the first kind, and the others
    are asked of each row that it leads to, of `examined` rows at the most.

    So a page may be short, or empty, and have a `next`. Raises InputInvalid for an unknown `after`.
    """
    order = (table.c.created_at, table.c.id)
    place = sa.tuple_(*order)
    walk = sa.select(*order).where(*found_by).order_by(*(each.desc() for each in order))
    if after is not None:
        here = sa.true() if project is None else table.c.project == project
        last = connection.execute(sa.select(*order).where(table.c.id == after, here)).first()
        if last is None:
            raise no_cursor(after)
        walk = walk.where(place < sa.tuple_(*map(sa.literal, last)))
    until = None
    if looked_at and examined is not None:
        until = connection.execute(walk.offset(examined - 1).limit(1)).first()
        if until is not None:
            walk = walk.where(place >= sa.tuple_(*map(sa.literal, until)))
    query = walk.with_only_columns(*columns).where(*looked_at).limit(limit + 1)
    rows = connection.execute(query).all()
    if len(rows) > limit:
        return Found(rows[:limit], rows[limit - 1].id)
    return Found(rows, None if until is None else until.id)


def few(connection: sa.Connection, ids: sa.Select[str]) -> Sequence[str] | None:
    """These ids, unless the rows that they stand in are many: no more of these are read."""
    found = connection.execute(ids.limit(FEW + 1)).scalars().all()
    return None if len(found) > FEW else list(dict.fromkeys(found))


def any_row(*conditions: Condition) -> Condition:
    """That another table has such a row, asked of each row that is looked at: of `exists` Postgres
    makes a join, for which it reads the whole table."""
    return sa.select(sa.func.count()).where(*conditions).scalar_subquery() > 0


def no_cursor(after: str) -> InputInvalid:
    """That there is no such row to go on after."""
    why = f"there is nothing to go on after {quoted(after)}"
    return InputInvalid(
        f"after: {why}. Pass the `next` of the page before, or leave it out.",
        problems=[f"after: {why}"],
    )
