"""What the tables have in common."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()

LARGE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Counts that a user may set as high as they like, and money: 5 dollars are 5e9 nanodollars."""


def where(condition: str) -> dict[str, Any]:
    """Of an index: the rows that are in it."""
    return {f"{dialect}_where": sa.text(condition) for dialect in ("sqlite", "postgresql")}
