"""Which jobs a list holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork.store.lists.newest import Condition, any_row, few
from lampwork.store.schema import jobs, tasks, waits
from lampwork.store.schema.base import Apart
from lampwork.types import JobStatus, WaitKind

__all__ = ["JobFilter", "has_metadata"]

_ID = re.compile("j[0-9a-z]{6,18}([.][0-9.]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What is wanted of jobs; what is left out does not matter."""

    status: JobStatus | None = None
    recipe: str | None = None
    waiting_on: WaitKind | None = None
    """The kind of something that it waits for itself."""
    genie: str | None = None
    """That has a task of it."""
    metadata: tuple[str, str | None] | None = None
    """A key that a task of it has, and its value as text, if that matters."""
    text: str | None = None
    """That its id, input, or the instructions of a task have somewhere, whatever the case."""
    since: float | None = None
    """Accepted then or later, in epoch seconds."""
    until: float | None = None
    """Accepted before that."""
    roots: bool = False
    """Without jobs that others have started."""
    restored: bool = False
    """Those alone whose effects may have been done before a restore."""

    @property
    def is_of_trees(self) -> bool:
        """Whether whole trees are wanted, or their roots: nothing of the jobs themselves."""
        return self == JobFilter(roots=self.roots, restored=self.restored)

    def in_trees(self) -> Iterator[Condition]:
        """For the `where` of a query of trees."""
        if self.roots:
            yield Apart(jobs.c.parent_id).is_(None)
        if self.restored:
            yield jobs.c.restoration.is_not(None)

    def conditions(
        self, connection: sa.Connection, project: str | None
    ) -> tuple[list[Condition], list[Condition]]:
        """Those that an index leads by, and those that are asked of each job, see `newest`."""
        found_by = [] if project is None else [jobs.c.project == project]
        looked_at = list(self.in_trees())
        found_by += self._in_time()
        if self.recipe is not None:
            found_by.append(jobs.c.callable == self.recipe)
        if self.status is not None:
            leads = self.recipe is None
            (found_by if leads else looked_at).append(jobs.c.status == self.status)
        for ids, condition in self._by_others():
            named = few(connection, ids)
            if named is None:
                looked_at.append(condition)
            else:
                found_by.append(jobs.c.id.in_(named))
                if project is not None:
                    found_by[0] = Apart(jobs.c.project) == project
        if self.metadata is not None:
            looked_at.append(_has_task(has_metadata(*self.metadata)))
        if self.text is not None:
            begins = _beginning(connection, self.text)
            (found_by if begins else looked_at).append(
                jobs.c.id.in_(begins) if begins else _mentions(self.text)
            )
        return found_by, looked_at

    def _in_time(self) -> Iterator[Condition]:
        if self.since is not None:
            yield jobs.c.created_at >= self.since
        if self.until is not None:
            yield jobs.c.created_at < self.until

    def _by_others(self) -> Iterator[tuple[sa.Select[str], Condition]]:
        """What rows of other tables lead to: the jobs that they name, and how one is asked."""
        if self.waiting_on is not None:
            open_wait = (waits.c.kind == self.waiting_on, waits.c.answered.is_(False))
            condition = any_row(waits.c.job_id == jobs.c.id, *open_wait)
            yield sa.select(waits.c.job_id).where(*open_wait), condition
        if self.genie is not None:
            by_genie = tasks.c.genie == self.genie
            yield sa.select(tasks.c.job_id).where(by_genie), _has_task(by_genie)


def has_metadata(key: str, value: str | None) -> Condition:
    """That a task has a metadata key, with that value as text if one is given."""
    found: sa.ColumnElement[Any] = sa.cast(tasks.c.metadata[key].as_string(), sa.Text)
    return found.is_not(None) if value is None else found == value


def _has_task(condition: Condition) -> Condition:
    return any_row(tasks.c.job_id == jobs.c.id, condition)


def _beginning(connection: sa.Connection, text: str) -> Sequence[str] | None:
    """The jobs whose ids begin with a text that looks like the beginning of one."""
    if not _ID.fullmatch(text):
        return None
    ids = sa.select(jobs.c.id).where(jobs.c.id >= text, jobs.c.id < text + "\x7f")
    return few(connection, ids)


def _mentions(text: str) -> Condition:
    return sa.or_(
        jobs.c.id.startswith(text, autoescape=True),
        sa.cast(jobs.c.input, sa.Text).icontains(text, autoescape=True),
        _has_task(tasks.c.instructions.icontains(text, autoescape=True)),
    )
