"""Which jobs a process executes: those of its project, for its code, maybe of some trees alone.

Each job is in the charge of one executor, which its row names: who has accepted, run, parked or
woken it last. Nobody else starts, wakes or ends it while that one is alive; when it is gone, the
first who takes charge has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork.store import kept
from lampwork.store.schema import executors, jobs

not_closed = executors.c.closed_at.is_(None)
"""Of a query of `executors`: they execute, as far as anybody has found."""

_alive = sa.select(executors.c.id).where(not_closed)


@dataclass(frozen=True, slots=True)
class Share:
    """The jobs that are a process's to start, to wake and to end."""

    project: str
    executor: str
    """Its id."""
    code: str | None = None
    """The older code that they are kept on; None for all that are not kept."""
    trees: frozenset[str] | None = None
    """The roots of their trees; None for every tree."""

    def condition(self) -> sa.ColumnElement[bool]:
        """The condition of a query of `jobs`."""
        of_project = sa.and_(
            jobs.c.project == self.project, kept.on_code(self.code), self.in_charge()
        )
        return of_project if self.trees is None else of_project & jobs.c.root_id.in_(self.trees)

    def in_charge(self) -> sa.ColumnElement[bool]:
        """Of a query of `jobs`: those in its charge, and those in nobody's who is alive."""
        in_none = sa.or_(jobs.c.executor.is_(None), jobs.c.executor.not_in(_alive))
        return sa.or_(jobs.c.executor == self.executor, in_none)

    def has(self, connection: sa.Connection, row: sa.Row[Any]) -> bool:
        """Whether a job is one of them."""
        of_tree = self.trees is None or row.root_id in self.trees
        if row.project != self.project or not of_tree:
            return False
        return kept.code_of(connection, row) == self.code and self.has_charge(connection, row)

    def has_charge(self, connection: sa.Connection, row: sa.Row[Any]) -> bool:
        """Whether a job is in its charge, or in nobody's who is alive."""
        return row.executor in (None, self.executor) or not is_alive(connection, row.executor)


def is_alive(connection: sa.Connection, executor_id: str) -> bool:
    """Whether an executor is there that nobody has found to be gone."""
    query = sa.select(executors.c.id).where(executors.c.id == executor_id, not_closed)
    return connection.execute(query).first() is not None
