"""Tasks as their runs find them: each run claims its task under a new epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from lampwork.store.schema import conversations as conversations_table
from lampwork.store.schema import tasks
from lampwork.store.spending import reservations
from lampwork.store.spending.reservations import Reservation
from lampwork.store.tasks import conversations
from lampwork.types import Json

_next_epoch = (
    sa.update(tasks)
    .where(tasks.c.id == sa.bindparam("task"))
    .values(epoch=tasks.c.epoch + 1)
    .returning(
        tasks.c.epoch,
        tasks.c.conversation_id,
        tasks.c.history_until,
        tasks.c.metadata,
        tasks.c.sealed,
        tasks.c.outcome,
        tasks.c.files,
        tasks.c.budget_id,
        tasks.c.deadline,
        tasks.c.deadline_budget,
    )
)
_hold_under = (
    sa.update(conversations_table)
    .where(
        conversations_table.c.id == sa.bindparam("conversation"),
        conversations_table.c.holder == sa.bindparam("task"),
    )
    .values(epoch=sa.bindparam("of_epoch"))
    .returning(conversations_table.c.last_seq)
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A task as its run found it. The run must prove that it owns the job before it goes on."""

    epoch: int
    conversation_id: str
    history_until: int
    """The last entry from before the task; -1 until it has held its conversation."""
    last_seq: int
    """The conversation's last entry, if the task holds it."""
    holds: bool
    """Whether it holds its conversation; if not, it waits in line."""
    wait_id: str | None
    """Under which it waits in line."""
    metadata: dict[str, Json]
    sealed: Sequence[Sequence[str | int]]
    outcome: Json
    """Not None when the task has ended."""
    budget_id: str | None
    """The nearest budget that counts."""
    deadline: float | None
    deadline_budget: str | None
    reserved: Reservation | None = None
    """For a model call that an earlier run had begun."""
    files: Json = None
    """As they were when it was opened, see files/snapshot.py; None of a task without."""
    has_place: bool = False
    """Whether it holds its place among those that its genie works on, if it needs one."""
    only_waited: bool = False
    """Whether the run before this one ended while it waited, and so had not asked the model."""
    is_new: bool = False


def claim(connection: sa.Connection, task: str) -> Claim | None:
    """Begin a new epoch of a task, which refuses all earlier ones; None without such a task."""
    row = connection.execute(_next_epoch, {"task": task}).first()
    if row is None:
        return None
    last = connection.execute(
        _hold_under, {"conversation": row.conversation_id, "task": task, "of_epoch": row.epoch}
    ).scalar()
    return Claim(
        epoch=row.epoch,
        conversation_id=row.conversation_id,
        history_until=row.history_until,
        last_seq=-1 if last is None else last,
        holds=last is not None,
        wait_id=None if last is not None else conversations.place_in_line(connection, task),
        metadata=row.metadata,
        sealed=row.sealed,
        outcome=row.outcome,
        files=row.files,
        budget_id=row.budget_id,
        deadline=row.deadline,
        deadline_budget=row.deadline_budget,
        reserved=reservations.reservation_of(connection, task)
        if row.budget_id is not None
        else None,
    )
