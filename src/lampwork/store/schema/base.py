"""What the tables have in common."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()

LARGE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Counts that a user may set as high as they like, and money: 5 dollars are 5e9 nanodollars."""


def where(condition: str) -> dict[str, Any]:
    """Of an index: the rows that are in it.

    SQLite takes such an index for a query only if that says the same in the same words: write
    `{false}` where the query has `.is_(False)`.
    """
    false = {"sqlite": "is 0", "postgresql": "is false"}
    return {f"{each}_where": sa.text(condition.format(false=false[each])) for each in false}
