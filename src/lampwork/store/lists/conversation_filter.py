"""Which conversations a list holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from lampwork.store.lists.job_filter import has_metadata
from lampwork.store.lists.newest import Condition, any_row, few
from lampwork.store.schema import conversations, jobs, tasks, waits
from lampwork.store.schema.base import Apart
from lampwork.types import TaskStatus, WaitKind

__all__ = ["ConversationFilter"]

_Led = tuple[sa.Select[str], sa.Column[str], Condition]

_ID = re.compile("c[0-9a-z]{6,18}([.][0-9.]*)?")


_latest = (tasks.c.created_at.desc(), tasks.c.history_until.desc(), tasks.c.id.desc())
_status = sa.func.coalesce(
    sa.select(tasks.c.status).where(tasks.c.id == conversations.c.holder).scalar_subquery(),
    sa.select(tasks.c.status)
    .where(tasks.c.conversation_id == conversations.c.id)
    .order_by(*_latest)
    .limit(1)
    .scalar_subquery(),
)
"""Of the task that writes to a conversation, or of its latest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    """What is wanted of conversations; what is left out does not matter."""

    genie: str | None = None
    """That has worked in it."""
    recipe: str | None = None
    """Whose jobs have assigned a task in it."""
    status: TaskStatus | None = None
    """Of the task that writes to it, or of its latest one."""
    waiting_on: WaitKind | None = None
    """The kind of something that a job with a task in it waits for itself."""
    metadata: tuple[str, str | None] | None = None
    """A key that a task in it has, and its value as text, if that matters."""
    text: str | None = None
    """That its id begins with, or the instructions of a task in it have, whatever the case."""
    since: float | None = None
    """Begun then or later, in epoch seconds."""
    until: float | None = None
    """Begun before that."""

    def conditions(
        self, connection: sa.Connection, project: str | None
    ) -> tuple[list[Condition], list[Condition]]:
        """Those that an index leads by, and those that are asked of each one, see `newest`."""
        found_by = [] if project is None else [conversations.c.project == project]
        if self.since is not None:
            found_by.append(conversations.c.created_at >= self.since)
        if self.until is not None:
            found_by.append(conversations.c.created_at < self.until)
        looked_at = list(self._of_each())
        for ids, named, condition in self._by_others(project):
            few_ids = few(connection, ids)
            if few_ids is None:
                looked_at.append(condition)
            else:
                of_these = sa.select(tasks.c.conversation_id).where(named.in_(few_ids))
                found_by.append(conversations.c.id.in_(of_these))
                if project is not None:
                    found_by[0] = Apart(conversations.c.project) == project
        if self.text is not None:
            begins = _beginning(connection, self.text)
            if begins:
                found_by.append(conversations.c.id.in_(begins))
            else:
                instructions = tasks.c.instructions.icontains(self.text, autoescape=True)
                begin = conversations.c.id.startswith(self.text, autoescape=True)
                looked_at.append(sa.or_(begin, _has_task(instructions)))
        return found_by, looked_at

    def _of_each(self) -> Iterator[Condition]:
        if self.status is not None:
            yield _status == self.status
        if self.metadata is not None:
            yield _has_task(has_metadata(*self.metadata))

    def _by_others(self, project: str | None) -> Iterator[_Led]:
        """What rows of other tables lead to: tasks by what they name, and how one is asked."""
        if self.status in ("assigned", "working", "waiting"):
            open_task = (tasks.c.ended_at.is_(None), tasks.c.status == self.status)
            yield sa.select(tasks.c.id).where(*open_task), tasks.c.id, sa.true()
        if self.genie is not None:
            ids = sa.select(tasks.c.id).where(tasks.c.genie == self.genie)
            yield ids, tasks.c.id, _has_task(Apart(tasks.c.genie) == self.genie)
        if self.recipe is not None:
            of_recipe = jobs.c.callable == self.recipe
            if project is not None:
                of_recipe = sa.and_(jobs.c.project == project, of_recipe)
            of_job = (jobs.c.id == tasks.c.job_id, Apart(jobs.c.callable) == self.recipe)
            yield sa.select(jobs.c.id).where(of_recipe), tasks.c.job_id, _has_task(*of_job)
        if self.waiting_on is not None:
            open_wait = (waits.c.kind == self.waiting_on, waits.c.answered.is_(False))
            of_job = any_row(waits.c.job_id == tasks.c.job_id, *open_wait)
            yield sa.select(waits.c.job_id).where(*open_wait), tasks.c.job_id, _has_task(of_job)


def _has_task(*conditions: Condition) -> Condition:
    return any_row(tasks.c.conversation_id == conversations.c.id, *conditions)


def _beginning(connection: sa.Connection, text: str) -> Sequence[str] | None:
    """The conversations whose ids begin with a text that looks like the beginning of one."""
    if not _ID.fullmatch(text):
        return None
    begin = (conversations.c.id >= text, conversations.c.id < text + "\x7f")
    return few(connection, sa.select(conversations.c.id).where(*begin))
