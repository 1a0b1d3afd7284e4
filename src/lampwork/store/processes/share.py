"""Which jobs a process executes: those of its project, for its code, maybe of some trees alone.

Each job is in the charge of one executor, which its row names: who has accepted, run, parked or
woken it last. Nobody else starts, wakes or ends it while that one is alive; when it is gone, the
first who takes charge has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork.store.jobs import kept
from lampwork.store.schema import executors, jobs
from lampwork.store.schema.base import Apart

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
    version: str | None = None
    """Of its code; None where that does not matter."""

    def condition(self) -> sa.ColumnElement[bool]:
        """The condition of a query of `jobs`."""
        return sa.and_(kept.on_code(self.code), self.on_any_code())

    def on_any_code(self) -> sa.ColumnElement[bool]:
        """As `condition`, of jobs that are kept on other code as well."""
        of_project = sa.and_(Apart(jobs.c.project) == self.project, self.in_charge())
        if self.trees is None:
            return of_project
        # The engine hands out whatever was woken: who has begun a job looks after it.
        its_own = jobs.c.executor == self.executor
        return of_project & sa.or_(jobs.c.root_id.in_(self.trees), its_own)

    def may_begin(self, since: float) -> sa.ColumnElement[bool]:
        """Of a query of `jobs` of the share: those that are not left to newer code.

        While newer code executes, older code begins what it has accepted itself, and what nobody
        has begun of all that has been there `since` then.
        """
        if self.version is None or self.trees is not None or self.code is not None:
            return sa.true()
        is_newest = newest_code(self.project).scalar_subquery() == self.version
        return sa.or_(is_newest, jobs.c.executor == self.executor, jobs.c.created_at < since)

    def in_charge(self) -> sa.ColumnElement[bool]:
        """Of a query of `jobs`: those in its charge, and those in nobody's who is alive."""
        in_none = sa.or_(jobs.c.executor.is_(None), jobs.c.executor.not_in(_alive))
        return sa.or_(jobs.c.executor == self.executor, in_none)

    def has(self, connection: sa.Connection, row: sa.Row[Any]) -> bool:
        """Whether a job is one of them."""
        own_trees = self.trees is None or row.root_id in self.trees
        of_tree = own_trees or row.executor == self.executor
        if row.project != self.project or not of_tree:
            return False
        return kept.code_of(connection, row) == self.code and self.has_charge(connection, row)

    def has_charge(self, connection: sa.Connection, row: sa.Row[Any]) -> bool:
        """Whether a job is in its charge, or in nobody's who is alive."""
        return row.executor in (None, self.executor) or not is_alive(connection, row.executor)


def newest_code(project: str) -> sa.Select[str]:
    """The version of the code that was started last, of those that execute all of a project."""
    return (
        sa.select(executors.c.version)
        .where(executors.c.project == project, not_closed, executors.c.limited.is_(False))
        .order_by(executors.c.started_at.desc(), executors.c.id.desc())
        .limit(1)
    )


def is_alive(connection: sa.Connection, executor_id: str) -> bool:
    """Whether an executor is there that nobody has found to be gone."""
    query = sa.select(executors.c.id).where(executors.c.id == executor_id, not_closed)
    return connection.execute(query).first() is not None
