"""What tasks write, and how they end: once, each in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from lampwork import clock
from lampwork.store.jobs import calls, inbox
from lampwork.store.schema import tasks
from lampwork.store.spending import rates, reservations
from lampwork.store.spending.reservations import Spent
from lampwork.store.tasks import conversations, places
from lampwork.store.tasks.conversations import Entry, StaleEpoch
from lampwork.types import Json, TaskStatus

_end = (
    sa.update(tasks)
    .where(
        tasks.c.id == sa.bindparam("task"),
        tasks.c.epoch == sa.bindparam("of_epoch"),
        tasks.c.ended_at.is_(None),
    )
    .values(
        {
            name: sa.bindparam(f"new_{name}")
            for name in ("status", "usage", "model", "outcome", "ended_at")
        }
    )
    .returning(tasks.c.job_id, tasks.c.call)
)
_open_of_job = sa.select(tasks).where(
    tasks.c.job_id == sa.bindparam("job"), tasks.c.ended_at.is_(None)
)


def append(
    connection: sa.Connection,
    conversation: str,
    task: str,
    epoch: int,
    new: Sequence[Entry],
    at: float,
    after: int | None = None,
    status: TaskStatus | None = None,
    spent: Spent | None = None,
    paced: tuple[rates.Taken, int] | None = None,
) -> int:
    """Append a task's entries, and show its status if that changes.

    What a model call has `spent` is settled with them. Raises StaleEpoch, LimitMet.
    """
    first = conversations.append(connection, conversation, task, epoch, new, after, at)
    if spent is not None:
        reservations.settle(connection, task, spent)
    if paced is not None:
        rates.settle(connection, *paced)
    if status is not None:
        connection.execute(sa.update(tasks).where(tasks.c.id == task).values(status=status))
    return first


def finish(
    connection: sa.Connection,
    conversation: str,
    task: str,
    epoch: int,
    new: Sequence[Entry],
    at: float,
    after: int,
    status: TaskStatus,
    usage: Json,
    outcome: Json,
    envelope: str,
    model: str | None = None,
    spent: Spent | None = None,
    has_place: bool = False,
    paced: tuple[rates.Taken, int] | None = None,
) -> list[inbox.Delivery]:
    """End a task: its last entries, its outcome, and its conversation for the next in line.

    One that waits in line, and has written nothing, has no last entries. `envelope` is recorded as
    what came of the job's call, see values.py; `model` is the one that all of the usage is of.

    Returns the answers to the waits of those whose turn it is. Raises StaleEpoch.
    """
    if new:
        conversations.append(connection, conversation, task, epoch, new, after, at)
    if spent is not None:
        reservations.settle(connection, task, spent)
    if paced is not None:
        rates.settle(connection, *paced)
    ended = connection.execute(
        _end,
        {
            "task": task,
            "of_epoch": epoch,
            "new_status": status,
            "new_usage": usage,
            "new_model": model,
            "new_outcome": outcome,
            "new_ended_at": clock.now(),
        },
    ).first()
    if ended is None:
        raise StaleEpoch(f"task {task} has ended, or goes on under another epoch")
    calls.record(connection, ended.job_id, ended.call, envelope)
    freed = places.leave(connection, task) if has_place else []
    return conversations.release(connection, task, conversation) + freed


def release_job(
    connection: sa.Connection, job_id: str, *, ended: TaskStatus | None = None
) -> list[inbox.Delivery]:
    """A job is over: all that its tasks hold, and their places in line; `ended` ends them too."""
    open_tasks = connection.execute(_open_of_job, {"job": job_id}).all()
    told = [
        delivery
        for task in open_tasks
        for delivery in conversations.release(connection, task.id, task.conversation_id)
    ]
    if ended is not None:
        for task in open_tasks:
            usage = reservations.usage_at_end(connection, task)
            connection.execute(
                sa.update(tasks)
                .where(tasks.c.id == task.id)
                .values(status=ended, usage=usage, ended_at=clock.now())
            )
    return told
