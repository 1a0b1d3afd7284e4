"""Rows of tasks that a person answers. Every function runs inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import AlreadyAnswered, Conflict, TaskNotFound
from lampwork.store import blobs
from lampwork.store.jobs import calls, inbox
from lampwork.store.schema import conversations as conversations_table
from lampwork.store.schema import entries, jobs, tasks, waits
from lampwork.store.tasks import continued, conversations
from lampwork.store.tasks.conversations import Entry
from lampwork.types import Json, conversation_id, task_id


def get(connection: sa.Connection, task: str) -> sa.Row[Any]:
    """A task's row, with `want` and `parent` of its job. Raises TaskNotFound."""
    row = connection.execute(
        sa.select(tasks, jobs.c.want, jobs.c.parent_id.label("parent_job"), jobs.c.root_id)
        .join(jobs, jobs.c.id == tasks.c.job_id)
        .where(tasks.c.id == task, jobs.c.erased_at.is_(None))
    ).first()
    if row is None:
        raise TaskNotFound(f"There is no task {task}. `lampwork job ID` lists a job's tasks.")
    return row


def of_job(connection: sa.Connection, job_id: str) -> Sequence[sa.Row[Any]]:
    """The tasks of a job, in the order of its calls."""
    query = sa.select(tasks).where(tasks.c.job_id == job_id).order_by(tasks.c.call)
    return connection.execute(query).all()


def answers_in(connection: sa.Connection, job_ids: Sequence[str]) -> Sequence[Any]:
    """The tasks of these jobs that a person answered: `id`, `job_id`, `call` and `by`."""
    by = tasks.c.outcome["by"].as_string().label("by")
    return connection.execute(
        sa.select(tasks.c.id, tasks.c.job_id, tasks.c.call, by)
        .where(tasks.c.job_id.in_(job_ids), by.is_not(None))
        .order_by(tasks.c.ended_at, tasks.c.call)
    ).all()


def open_waits(connection: sa.Connection, task: sa.Row[Any]) -> list[str]:
    """The ids of the waits of a task that nobody has answered."""
    query = sa.select(waits.c.id).where(
        waits.c.job_id == task.job_id, waits.c.task_id == task.id, waits.c.answered.is_(False)
    )
    return list(connection.execute(query).scalars())


def withdraw_waits(connection: sa.Connection, task: sa.Row[Any], by: str) -> list[inbox.Delivery]:
    """Say of a task's open waits that nothing is waited for any more."""
    return [
        delivery
        for wait in open_waits(connection, task)
        for delivery in inbox.withdraw(connection, wait, task.job_id, by)
    ]


# --- a failed task, whose answer is for a copy of its job ---


def require_no_successor(connection: sa.Connection, task: sa.Row[Any]) -> None:
    """Raise AlreadyAnswered or Conflict if a retry of the task's job goes on, or has succeeded."""
    retry = connection.execute(
        sa.select(jobs.c.id, jobs.c.status).where(
            jobs.c.copy_of == task.job_id,
            jobs.c.copied_as == "retry",
            jobs.c.status.not_in(("failed", "cancelled")),
        )
    ).first()
    if retry is None:
        return
    outcome: Json = connection.execute(
        sa.select(tasks.c.outcome).where(tasks.c.id == task_id(retry.id, task.call))
    ).scalar()
    if outcome and "by" in outcome:
        raise AlreadyAnswered(
            f"Task {task.id} was already answered by {outcome['by']}; the first answer counts. "
            f"Job {retry.id} goes on with it.",
            source=outcome["by"],
        )
    raise Conflict(
        f"Job {task.job_id}, of task {task.id}, was retried: job {retry.id} is {retry.status}. "
        "Answer there, if it waits, or cancel it first."
    )


def continue_in_copy(
    connection: sa.Connection, task: sa.Row[Any], job_id: str, answered: Entry
) -> tuple[str, int]:
    """A conversation for the copy of a failed task: that one's, with the answer at its end.

    Its id, and the number of the answer.
    """
    new, of = conversation_id(job_id, task.call), task_id(job_id, task.call)
    if task.history_until < 0:  # it waited in line and never got its turn
        project = connection.execute(sa.select(jobs.c.project).where(jobs.c.id == job_id))
        whose = (project.scalar_one(), of, _user_of(connection, task))
        conversations.create(connection, new, *whose, [answered])
        seq = 1
    else:
        last = sa.select(sa.func.max(entries.c.seq)).where(
            entries.c.conversation_id == task.conversation_id, entries.c.task_id == task.id
        )
        until = connection.execute(last).scalar_one()
        continued.copy(connection, task.conversation_id, until, new, job_id)
        conversations.take_if_free(connection, new, of, epoch=1)
        seq = conversations.append(connection, new, of, 1, [answered])
    conversations.release(connection, of, new)
    return new, seq


def _user_of(connection: sa.Connection, task: sa.Row[Any]) -> str | None:
    query = sa.select(conversations_table.c.user)
    return connection.execute(
        query.where(conversations_table.c.id == task.conversation_id)
    ).scalar_one()


def insert_answered(
    connection: sa.Connection,
    task: sa.Row[Any],
    job_id: str,
    *,
    conversation: str,
    seq: int,
    by: str,
    envelope: str,
) -> None:
    """The task of a copy, answered, in place of one that failed; and the call that assigned it."""
    now = clock.now()
    same = {column.name: getattr(task, column.name) for column in tasks.c}
    connection.execute(
        sa.insert(tasks).values(
            {
                **same,
                "id": task_id(job_id, task.call),
                "job_id": job_id,
                "conversation_id": conversation,
                "history_until": seq - 1,
                "status": "answered",
                "epoch": 1,
                "budget_id": None,
                "usage": {},
                "model": None,
                "outcome": {"answered": seq, "by": by},
                "created_at": now,
                "ended_at": now,
            }
        )
    )
    files = [digest for each in task.files or () for digest in (each["digest"], each["text"])]
    blobs.own(connection, job_id, [digest for digest in files if digest])
    begun = calls.of_job(connection, task.job_id)[task.call]
    calls.put(connection, job_id, begun, envelope)
