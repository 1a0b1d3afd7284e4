"""Orchestrations: tasks of orchestrators, and their rounds, which are jobs below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import sqlalchemy as sa

from lampwork.errors import InputInvalid, TaskNotFound
from lampwork.store import blobs
from lampwork.store.jobs import calls
from lampwork.store.lists import queries
from lampwork.store.schema import budgets, inbox, jobs, tasks, waits
from lampwork.types import ENDED, ROUNDS, Json, is_job_id

__all__ = [
    "Orchestration",
    "Round",
    "envelopes",
    "last_proposal",
    "named",
    "of_job",
    "orchestration",
    "rounds_of",
    "tasks_of",
]

_IS_ROUND = jobs.c.callable.startswith(ROUNDS, autoescape=True)
"""And no recipe that a genie has called as a skill."""

_task = sa.select(tasks, budgets.c.limits).outerjoin(budgets, budgets.c.id == tasks.c.budget_id)


@dataclass(frozen=True, slots=True)
class Orchestration:
    """What the task of an orchestrator was given; it never changes."""

    id: str
    conversation_id: str
    genie: str
    instructions: str
    data: Json
    metadata: dict[str, Json]
    sealed: tuple[tuple[str | int, ...], ...]
    files: tuple[dict[str, Json], ...]
    limits: dict[str, Json] | None
    """Of the nearest budget that counts for it."""

    @property
    def fields(self) -> list[str]:
        """Of its data."""
        data = self.data
        return list(cast(dict[str, Json], data)) if isinstance(data, dict) else []


@dataclass(frozen=True, slots=True)
class Round:
    """A round of an orchestration: a job that carries a plan out."""

    job_id: str
    callable: str
    input: Json
    status: str
    outcome: str | None
    """Its envelope, unfolded."""
    created_at: float
    ended_at: float | None
    cancelling: bool = False
    """Whether it is to be cancelled and has not ended yet."""
    proposal: dict[str, Json] | None = None
    """What a person was asked about, before anything ran; None if nobody was."""
    decision: dict[str, Json] | None = None
    """What that person has decided, when and `by` whom."""


def orchestration(connection: sa.Connection, task_id: str) -> Orchestration:
    """The task of an orchestrator."""
    row = connection.execute(_task.where(tasks.c.id == task_id)).one()
    return Orchestration(
        id=row.id,
        conversation_id=row.conversation_id,
        genie=row.genie,
        instructions=row.instructions,
        data=row.data,
        metadata=row.metadata,
        sealed=tuple(map(tuple, row.sealed)),
        files=tuple(row.files or ()),
        limits=row.limits,
    )


def rounds_of(connection: sa.Connection, task_id: str) -> Sequence[Round]:
    """The rounds of an orchestration, in their order."""
    task = connection.execute(
        sa.select(tasks.c.job_id, tasks.c.call).where(tasks.c.id == task_id)
    ).first()
    if task is None:
        return []
    rows = connection.execute(
        sa.select(jobs).where(
            jobs.c.parent_id == task.job_id,
            jobs.c.parent_call == task.call,
            jobs.c.task_id == task_id,
            _IS_ROUND,
        )
    ).all()
    proposed = _proposed(connection, task_id)
    return [_round(connection, row, proposed.get(row.id)) for row in sorted(rows, key=_position)]


def _proposed(connection: sa.Connection, task_id: str) -> dict[str, Any]:
    """By round, what a person was asked about it, with the answer."""
    asked = (
        sa.select(waits.c.id, waits.c.job_id, waits.c.subject, inbox.c.value, inbox.c.source)
        .join(jobs, jobs.c.id == waits.c.job_id)
        .outerjoin(inbox, inbox.c.wait_id == waits.c.id)
        .where(jobs.c.task_id == task_id, waits.c.kind == "approval")
        .order_by(waits.c.opened_at)
    )
    return {row.job_id: row for row in connection.execute(asked).all()}


def last_proposal(connection: sa.Connection, task_id: str) -> tuple[str, dict[str, Json]] | None:
    """The wait of the plan that was proposed last, and what it proposes."""
    found = list(_proposed(connection, task_id).values())
    return (found[-1].id, found[-1].subject) if found else None


def of_job(connection: sa.Connection, job_id: str) -> Sequence[str]:
    """The tasks of a job that have had a round, in the order of its calls; of a round, its own."""
    job = queries.job(connection, job_id)
    if job.callable.startswith(ROUNDS):
        return [job.task_id]
    query = sa.select(tasks.c.id).where(
        tasks.c.job_id == job_id,
        sa.exists().where(jobs.c.parent_id == job_id, jobs.c.task_id == tasks.c.id, _IS_ROUND),
    )
    found = connection.execute(query.order_by(tasks.c.call)).scalars().all()
    if not found:
        raise TaskNotFound(
            f"Job {job_id} has no orchestration: no task of it has planned anything. "
            f"`lampwork job {job_id}` shows what it does."
        )
    return found


def named(connection: sa.Connection, id: str) -> str:
    """The task of an orchestration, by its id or that of a job that has no other one.

    Raises JobNotFound, TaskNotFound; InputInvalid if the job has several.
    """
    if not is_job_id(id):
        return id
    first, *others = of_job(connection, id)
    if others:
        raise InputInvalid(
            f"Job {id} has {1 + len(others)} orchestrations: {', '.join([first, *others])}. Say "
            "which one is meant, by its task.",
        )
    return first


def tasks_of(connection: sa.Connection, job_id: str) -> Sequence[sa.Row[Any]]:
    """The tasks of a round."""
    return connection.execute(sa.select(tasks).where(tasks.c.job_id == job_id)).all()


def envelopes(connection: sa.Connection, of: Sequence[tuple[str, int]]) -> list[str]:
    """What is recorded of these calls, by job and number, unfolded."""
    found = [calls.envelope(connection, job_id, number) for job_id, number in of]
    return [blobs.unfold(connection, each) for each in found]


def _round(connection: sa.Connection, row: sa.Row[Any], asked: sa.Row[Any] | None) -> Round:
    outcome = None if row.outcome is None else blobs.unfold(connection, row.outcome)
    times = row.created_at, row.ended_at
    cancelling = row.want == "cancelled" and row.status not in ENDED
    found = Round(row.id, row.callable, row.input, row.status, outcome, *times, cancelling)
    if asked is None:
        return found
    decision = None if asked.value is None else asked.value | {"by": asked.source}
    return replace(found, proposal=asked.subject, decision=decision)


def _position(row: sa.Row[Any]) -> tuple[int, int]:
    """Of the call that has started it: the entry that asked for it, and its place there."""
    *_, entry, place = row.id.split(".")
    return int(entry), int(place)
