"""JSON documents with parts that queries ask for."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["Document"]


class _Legible(FunctionElement[Any]):
    """A document of which every part can be asked for."""

    inherit_cache = True
    type = sa.JSON()


class Document(sa.JSON):
    """A column of JSON, of which queries ask for parts, and which may hold any text.

    Postgres keeps a NUL character in JSON as it was given, but gives no part of a document that has
    one anywhere. So parts are those of a copy that has a space in its place.
    """

    class Comparator(sa.JSON.Comparator[Any]):
        """As that of JSON, but for the parts."""

        def __getitem__(self, index: Any) -> Any:
            return _Legible(self.expr)[index]

    comparator_factory = Comparator


@compiles(_Legible)
def _as_it_is(element: _Legible, compiler: Any, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Legible, "postgresql")
def _without_nul(element: _Legible, compiler: Any, **options: Any) -> str:
    # Of the same length: what stands behind an escaped backslash is then still JSON.
    document = compiler.process(element.clauses, **options)
    return rf"CAST(replace(CAST({document} AS TEXT), '\u0000', '\u0020') AS JSON)"
