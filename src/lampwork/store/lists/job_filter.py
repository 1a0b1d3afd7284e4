"""Which jobs a list holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork.store.schema import jobs, tasks, waits
from lampwork.types import JobStatus, WaitKind

__all__ = ["JobFilter"]

Condition = sa.ColumnElement[bool]


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

    def conditions(self) -> Iterator[Condition]:
        """For the `where` of a query of jobs."""
        if self.status is not None:
            yield jobs.c.status == self.status
        if self.recipe is not None:
            yield jobs.c.callable == self.recipe
        if self.waiting_on is not None:
            open_wait = sa.exists().where(waits.c.job_id == jobs.c.id, waits.c.answered.is_(False))
            yield open_wait.where(waits.c.kind == self.waiting_on)
        if self.genie is not None:
            yield _has_task(tasks.c.genie == self.genie)
        if self.metadata is not None:
            yield _has_task(_has_metadata(*self.metadata))
        if self.text is not None:
            yield _mentions(self.text)
        if self.since is not None:
            yield jobs.c.created_at >= self.since
        if self.until is not None:
            yield jobs.c.created_at < self.until
        if self.roots:
            yield jobs.c.parent_id.is_(None)
        if self.restored:
            yield jobs.c.restoration.is_not(None)


def _has_task(condition: Condition) -> Condition:
    return sa.exists().where(tasks.c.job_id == jobs.c.id, condition)


def _has_metadata(key: str, value: str | None) -> Condition:
    found: sa.ColumnElement[Any] = sa.cast(tasks.c.metadata[key].as_string(), sa.Text)
    return found.is_not(None) if value is None else found == value


def _mentions(text: str) -> Condition:
    return sa.or_(
        jobs.c.id.startswith(text, autoescape=True),
        sa.cast(jobs.c.input, sa.Text).icontains(text, autoescape=True),
        _has_task(tasks.c.instructions.icontains(text, autoescape=True)),
    )
