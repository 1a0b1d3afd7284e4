"""What the tables have in common."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

metadata = sa.MetaData()

LARGE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Counts that a user may set as high as they like, and money: 5 dollars are 5e9 nanodollars."""


def where(condition: str) -> dict[str, Any]:
    """Of an index: the rows that are in it.

    SQLite takes such an index for a query only if that says the same in the same words: write
    `{false}` where the query has `.is_(False)`, `{true}` for `.is_(True)`, `{apart}` before a
    column that is `Apart` there, and have the query say a value itself (`said`).
    """
    sqlite = condition.format(false="is 0", true="is 1", apart="+")
    postgres = condition.format(false="is false", true="is true", apart="")
    return {"sqlite_where": sa.text(sqlite), "postgresql_where": sa.text(postgres)}


def said(value: str) -> sa.BindParameter[str]:
    """A value that a statement says itself, and is not given: for an index of certain rows."""
    return sa.bindparam(None, value, literal_execute=True)


class Apart(FunctionElement[Any]):
    """A column, said so that SQLite takes no index for it: where another one leads, it would walk
    over all that is of a project. Postgres knows how common a value is, and must see it for that.
    """

    inherit_cache = True

    def __init__(self, column: sa.Column[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(Apart)
def _as_it_is(element: Apart, compiler: SQLCompiler, **how: Any) -> str:
    return compiler.process(element.clauses, **how)


@compiles(Apart, "sqlite")
def _without_index(element: Apart, compiler: SQLCompiler, **how: Any) -> str:
    return f"+{compiler.process(element.clauses, **how)}"
