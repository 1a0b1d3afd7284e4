"""Which jobs a process executes: those of its project, for its code, maybe of some trees alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork.store import kept
from lampwork.store.schema import jobs


@dataclass(frozen=True, slots=True)
class Share:
    """The jobs that are a process's to start, to wake and to end."""

    project: str
    code: str | None = None
    """The older code that they are kept on; None for all that are not kept."""
    trees: frozenset[str] | None = None
    """The roots of their trees; None for every tree."""

    def condition(self) -> sa.ColumnElement[bool]:
        """The condition of a query of `jobs`."""
        of_project = sa.and_(jobs.c.project == self.project, kept.on_code(self.code))
        return of_project if self.trees is None else of_project & jobs.c.root_id.in_(self.trees)

    def has(self, connection: sa.Connection, row: sa.Row[Any]) -> bool:
        """Whether a job is one of them."""
        of_tree = self.trees is None or row.root_id in self.trees
        if row.project != self.project or not of_tree:
            return False
        return kept.code_of(connection, row) == self.code
