"""Orchestrations: tasks of orchestrators, and their rounds, which are jobs below them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import sqlalchemy as sa

from lampwork.errors import SeveralOrchestrations, TaskNotFound
from lampwork.store import blobs
from lampwork.store.jobs import calls
from lampwork.store.lists import queries
from lampwork.store.schema import budgets, inbox, jobs, tasks, waits
from lampwork.types import ENDED, ROUNDS, Json, is_job_id

__all__ = [
    "Orchestration",
    "Round",
    "envelopes",
    "is_below",
    "last_proposal",
    "meant",
    "named",
    "orchestration",
    "rounds_of",
    "status",
    "tasks_of",
]

_IS_ROUND = jobs.c.callable.startswith(ROUNDS, autoescape=True)
"""And no recipe that a genie has called as a skill."""

_has_planned = sa.exists().where(
    jobs.c.parent_id == tasks.c.job_id, jobs.c.task_id == tasks.c.id, _IS_ROUND
)

_begin = tasks.c.job_id + "." + sa.cast(tasks.c.call, sa.Text)
is_below = sa.and_(jobs.c.id > _begin + ".", jobs.c.id < _begin + "/")
"""Whether a job stands below a task, at any depth: the ids of all these begin with that."""

_status = sa.case(
    (
        sa.and_(
            tasks.c.ended_at.is_(None),
            sa.or_(
                sa.exists().where(jobs.c.id == tasks.c.job_id, jobs.c.want == "attention"),
                sa.exists().where(
                    is_below, jobs.c.status == "needs_attention", jobs.c.detached.is_(False)
                ),
            ),
        ),
        "needs_attention",
    ),
    else_=tasks.c.status,
)
"""Of an orchestration: a person must look at its job, or at one below it."""

_NAMED = 5
"""Orchestrations that an error names in its text."""

_SHOWN = 200
"""Characters of the instructions of each."""

_task = (
    sa.select(tasks, budgets.c.limits)
    .outerjoin(budgets, budgets.c.id == tasks.c.budget_id)
    .where(tasks.c.id == sa.bindparam("task"))
)
_call = sa.select(tasks.c.job_id, tasks.c.call).where(tasks.c.id == sa.bindparam("task"))
_rounds = sa.select(jobs).where(
    jobs.c.parent_id == sa.bindparam("job"),
    jobs.c.parent_call == sa.bindparam("nth"),
    jobs.c.task_id == sa.bindparam("task"),
    _IS_ROUND,
)
_asked = (
    sa.select(waits.c.id, waits.c.job_id, waits.c.subject, inbox.c.value, inbox.c.source)
    .join(jobs, jobs.c.id == waits.c.job_id)
    .outerjoin(inbox, inbox.c.wait_id == waits.c.id)
    .where(jobs.c.task_id == sa.bindparam("task"), waits.c.kind == "approval")
)


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
    row = connection.execute(_task, {"task": task_id}).one()
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
    task = connection.execute(_call, {"task": task_id}).first()
    if task is None:
        return []
    of = {"job": task.job_id, "nth": task.call, "task": task_id}
    rows = connection.execute(_rounds, of).all()
    proposed = _proposed(connection, task_id)
    return [_round(connection, row, proposed.get(row.id)) for row in sorted(rows, key=_of_row)]


def _proposed(connection: sa.Connection, task_id: str) -> dict[str, Any]:
    """By round, what a person was asked about it, with the answer."""
    return {row.job_id: row for row in connection.execute(_asked, {"task": task_id}).all()}


def last_proposal(connection: sa.Connection, task_id: str) -> tuple[str, dict[str, Json]] | None:
    """The wait of the plan that was proposed last, and what it proposes."""
    found = _proposed(connection, task_id)
    if not found:
        return None
    last = found[max(found, key=_position)]
    return last.id, last.subject


def named(connection: sa.Connection, id: str) -> str:
    """The task of an orchestration, by its id, that of a round, or of a job that has no other one.

    Raises JobNotFound, TaskNotFound; SeveralOrchestrations.
    """
    if not is_job_id(id):
        return id
    job = queries.job(connection, id)
    if job.callable.startswith(ROUNDS):
        return job.task_id
    found = connection.execute(
        sa.select(tasks.c.id, tasks.c.genie, tasks.c.instructions, _status.label("status"))
        .where(tasks.c.job_id == id, _has_planned)
        .order_by(tasks.c.call)
    ).all()
    if not found:
        raise TaskNotFound(
            f"Job {id} has no orchestration, or none yet: no plan of a task of it was taken. "
            f"`lampwork job {id}` shows what it does."
        )
    if len(found) > 1:
        raise _several(id, found)
    return found[0].id


def meant(connection: sa.Connection, ids: Collection[str]) -> dict[str, list[str]]:
    """By each of these ids, of tasks, rounds and jobs, the tasks of the orchestrations it is of."""
    found = {id: [] if is_job_id(id) else [id] for id in ids}
    of_jobs = [id for id in ids if is_job_id(id)]
    rounds = sa.select(jobs.c.id, jobs.c.task_id).where(jobs.c.id.in_(of_jobs), _IS_ROUND)
    others = sa.select(tasks.c.job_id, tasks.c.id).where(tasks.c.job_id.in_(of_jobs), _has_planned)
    for query in (rounds, others) if of_jobs else ():
        for id, task in connection.execute(query):
            found[id].append(task)
    return found


def status(connection: sa.Connection, task_id: str) -> str:
    """How an orchestration stands: as its task, or `needs_attention`."""
    return connection.execute(sa.select(_status).where(tasks.c.id == task_id)).scalar_one()


def _several(job_id: str, found: Sequence[Any]) -> SeveralOrchestrations:
    listed = [f"{row.id} ({row.genie}, {row.status})" for row in found[:_NAMED]]
    more = [f"and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
    return SeveralOrchestrations(
        f"Job {job_id} has {len(found)} orchestrations. Say which one is meant, by its task: "
        f"{', '.join(listed + more)}.",
        orchestrations=[
            {
                "orchestration_id": row.id,
                "orchestrator": row.genie,
                "status": row.status,
                "instructions": _beginning(row.instructions),
            }
            for row in found
        ],
    )


def _beginning(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def tasks_of(connection: sa.Connection, job_id: str) -> Sequence[sa.Row[Any]]:
    """The tasks of a round."""
    return connection.execute(sa.select(tasks).where(tasks.c.job_id == job_id)).all()


def envelopes(connection: sa.Connection, of: Sequence[tuple[str, int]]) -> list[str]:
    """What is recorded of these calls, by job and number, unfolded."""
    found = calls.envelopes(connection, of)
    return [blobs.unfold(connection, found[each]) for each in of]


def _round(connection: sa.Connection, row: sa.Row[Any], asked: sa.Row[Any] | None) -> Round:
    outcome = None if row.outcome is None else blobs.unfold(connection, row.outcome)
    times = row.created_at, row.ended_at
    cancelling = row.want == "cancelled" and row.status not in ENDED
    found = Round(row.id, row.callable, row.input, row.status, outcome, *times, cancelling)
    if asked is None:
        return found
    decision = None if asked.value is None else asked.value | {"by": asked.source}
    return replace(found, proposal=asked.subject, decision=decision)


def _of_row(row: sa.Row[Any]) -> tuple[int, int]:
    return _position(row.id)


def _position(round: str) -> tuple[int, int]:
    """Of the call that has started it: the entry that asked for it, and its place there."""
    *_, entry, place = round.split(".")
    return int(entry), int(place)
