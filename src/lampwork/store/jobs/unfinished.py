"""Unfinished jobs, as a rehearsal of them reads them (see rehearsal.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork.store.jobs import inbox, kept
from lampwork.store.jobs import jobs as job_rows
from lampwork.store.jobs.jobs import Begun
from lampwork.store.schema import ends, entries, jobs, tasks
from lampwork.types import ENDED, Effect, Json


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A skill call that may have acted and has no result."""

    skill: str
    effect: Effect
    child: str | None
    """The job that it started, if its skill is a recipe."""


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task that has not ended."""

    id: str
    genie: str
    metadata: dict[str, Json]
    offered: Sequence[str]
    """The skills that it was told of."""
    intents: Sequence[OpenIntent]


def unfinished(connection: sa.Connection, project: str) -> list[str]:
    """The jobs of a project that today's code is meant to go on with, each tree from its root."""
    goes_on = sa.and_(jobs.c.status.not_in(ENDED), jobs.c.want != "cancelled")
    found = connection.execute(
        sa.select(jobs.c.id)
        .where(jobs.c.project == project, goes_on, kept.on_code(None))
        .order_by(jobs.c.root_id, jobs.c.created_at, jobs.c.id)
    )
    return list(found.scalars())


def begun(connection: sa.Connection, job_id: str) -> Begun:
    """What was begun of a job. Raises JobNotFound."""
    return job_rows.begun(connection, job_rows.get(connection, job_id))


def after_end(connection: sa.Connection, job_id: str) -> list[str]:
    """The functions that a job has registered to run when it has ended."""
    query = sa.select(ends.c.callable).where(ends.c.job_id == job_id).order_by(ends.c.number)
    return list(connection.execute(query).scalars())


def open_task(connection: sa.Connection, job_id: str, call: int) -> OpenTask | None:
    """The task of a job's call, if it was opened and has not ended."""
    task = connection.execute(
        sa.select(tasks).where(
            tasks.c.job_id == job_id, tasks.c.call == call, tasks.c.ended_at.is_(None)
        )
    ).first()
    if task is None:
        return None
    own = connection.execute(
        sa.select(entries.c.kind, entries.c.body)
        .where(
            entries.c.conversation_id == task.conversation_id,
            entries.c.seq > task.history_until,
            entries.c.task_id == task.id,
            entries.c.kind.in_(("told", "intent", "result")),
        )
        .order_by(entries.c.seq)
    ).all()
    of: dict[str, list[dict[str, Any]]] = {"told": [], "intent": [], "result": []}
    for kind, body in own:
        of[kind].append(body)
    over = {result["call"] for result in of["result"]}
    return OpenTask(
        id=task.id,
        genie=task.genie,
        metadata=task.metadata,
        offered=[name for told in of["told"] for name in told["skills"]],
        intents=[
            OpenIntent(intent["skill"], intent["effect"], intent.get("child"))
            for intent in of["intent"]
            if intent["call"] not in over
        ],
    )


def state(connection: sa.Connection, project: str) -> tuple[Any, ...] | None:
    """What changes when a job that is not kept moves; None while the code of one executes."""
    goes_on = sa.and_(jobs.c.project == project, jobs.c.status.not_in(ENDED), kept.on_code(None))
    executing = sa.func.sum(sa.case((jobs.c.status == "running", 1), else_=0))
    query = sa.select(sa.func.count(), sa.func.max(jobs.c.changed_at), executing).where(goes_on)
    count, changed_at, at_work = connection.execute(query).one()
    return None if at_work else (count, changed_at, inbox.newest_id(connection))


def tops(connection: sa.Connection, project: str) -> int:
    """How many jobs of a project, at the top of their trees, have not ended."""
    unended = sa.and_(jobs.c.project == project, jobs.c.status.not_in(ENDED))
    query = sa.select(sa.func.count()).where(unended, jobs.c.parent_id.is_(None))
    return connection.execute(query).scalar_one()
