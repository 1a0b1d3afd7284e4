"""Conversations: append-only entries with one writer each, and the line of those who wait for it.

A conversation names the task that holds it and that task's epoch; an append that does not know
both is refused. Every function runs inside one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import (
    ConversationBusy,
    ConversationNotFound,
    LampworkError,
    UserNotAllowed,
)
from lampwork.store.jobs import cycles, inbox
from lampwork.store.schema import conversations, entries, line, tasks
from lampwork.types import Json

Entry = tuple[str, dict[str, Json]]
"""An entry to append: its kind and its body."""


class StaleEpoch(LampworkError):
    """The task no longer writes under this epoch: it must prove that it is the owner."""


def key_of(task: str, intent: dict[str, Json]) -> str:
    """The idempotency key of a task's intent, which says it only if it is another one."""
    return intent.get("key", f"{task}.{intent['call']}")


def model_of(entry: dict[str, Json]) -> Json:
    """The model that an entry is of, which says it only if its response does not."""
    return entry.get("model", entry.get("response", {}).get("model_name"))


# Statements of the hot path are built once: building one costs more than running it.
_reserve_numbers = (
    sa.update(conversations)
    .where(
        conversations.c.id == sa.bindparam("conversation"),
        conversations.c.holder == sa.bindparam("task"),
        conversations.c.epoch == sa.bindparam("of_epoch"),
        sa.or_(
            sa.bindparam("after", type_=sa.Integer) < 0,
            conversations.c.last_seq == sa.bindparam("after", type_=sa.Integer),
        ),
    )
    .values(last_seq=conversations.c.last_seq + sa.bindparam("count", type_=sa.Integer))
    .returning(conversations.c.last_seq)
)
_insert_entry = sa.insert(entries)
_insert_conversation = sa.insert(conversations)
_free = (
    sa.update(conversations)
    .where(
        conversations.c.id == sa.bindparam("conversation"),
        conversations.c.holder == sa.bindparam("task"),
        ~sa.exists().where(line.c.conversation_id == conversations.c.id),
    )
    .values(holder=None, epoch=0)
)
_leave_line = sa.delete(line).where(line.c.task_id == sa.bindparam("task"))
_first_in_line = (
    sa.select(line, tasks.c.job_id, tasks.c.epoch)
    .join(tasks, tasks.c.id == line.c.task_id)
    .where(line.c.conversation_id == sa.bindparam("conversation"))
    .order_by(line.c.id)
    .limit(1)
)
_give_to = (
    sa.update(conversations)
    .where(
        conversations.c.id == sa.bindparam("conversation"),
        conversations.c.holder.is_not_distinct_from(sa.bindparam("giver")),
    )
    .values(holder=sa.bindparam("taker"), epoch=sa.bindparam("of_epoch"))
    .returning(conversations.c.last_seq)
)


def append(
    connection: sa.Connection,
    conversation: str,
    task: str,
    epoch: int,
    new: Sequence[Entry],
    after: int | None = None,
    at: float | None = None,
) -> int:
    """Append entries; the number of the first, the others follow it. `at` is now without a time.

    Raises StaleEpoch when another epoch or task holds the conversation, or when `after` is given
    and is not its last number.
    """
    last = connection.execute(
        _reserve_numbers,
        {
            "conversation": conversation,
            "task": task,
            "of_epoch": epoch,
            "after": -1 if after is None else after,
            "count": len(new),
        },
    ).scalar()
    if last is None:
        raise StaleEpoch(f"task {task} does not write to {conversation} under epoch {epoch}")
    first = last - len(new) + 1
    _insert(connection, conversation, task, epoch, new, first, clock.now() if at is None else at)
    return first


def _insert(
    connection: sa.Connection,
    conversation: str,
    task: str,
    epoch: int,
    new: Sequence[Entry],
    first: int,
    at: float,
) -> None:
    connection.execute(
        _insert_entry,
        [
            {
                "conversation_id": conversation,
                "seq": first + position,
                "task_id": task,
                "epoch": epoch,
                "kind": kind,
                "body": body,
                "at": at,
            }
            for position, (kind, body) in enumerate(new)
        ],
    )


def read(
    connection: sa.Connection, conversation: str, task: str, until: int
) -> Sequence[sa.Row[Any]]:
    """What a task sees: the history up to `until`, and its own entries."""
    return connection.execute(
        sa.select(entries)
        .where(
            entries.c.conversation_id == conversation,
            sa.or_(entries.c.seq <= until, entries.c.task_id == task),
        )
        .order_by(entries.c.seq)
    ).all()


def usage_so_far(connection: sa.Connection, task: sa.Row[Any]) -> dict[str, int]:
    """What the model calls of a task have used, by what is counted."""
    counted = connection.execute(
        sa.select(entries.c.body["usage"])
        .where(
            entries.c.conversation_id == task.conversation_id,
            entries.c.seq > task.history_until,
            entries.c.task_id == task.id,
            entries.c.kind.in_(("said", "summarised", "cut_off", "unanswered")),
        )
        .order_by(entries.c.seq)
    ).scalars()
    return sum_up(counted)


def usage_of(connection: sa.Connection, task: sa.Row[Any]) -> dict[str, int]:
    """What a task has used: as its row says once it has ended, or so far."""
    return usage_so_far(connection, task) if task.usage is None else task.usage


def usage_below(connection: sa.Connection, job_id: str) -> dict[str, int]:
    """What the tasks of a job and of all jobs below it have used, by what is counted."""
    found = _spenders(connection, sa.or_(tasks.c.job_id == job_id, _is_below(job_id)))
    return sum_up(usage_of(connection, task) for task in found)


def usage_below_calls(connection: sa.Connection, job_id: str) -> dict[int, dict[str, int]]:
    """What the tasks of all jobs below a job have used, by the number of its call above them."""
    used: dict[int, list[dict[str, int]]] = {}
    for task in _spenders(connection, _is_below(job_id)):
        call = int(task.job_id[len(job_id) + 1 :].partition(".")[0])
        used.setdefault(call, []).append(usage_of(connection, task))
    return {call: sum_up(usages) for call, usages in used.items()}


def _spenders(connection: sa.Connection, which: sa.ColumnElement[bool]) -> Sequence[sa.Row[Any]]:
    """Of these tasks what `usage_of` reads, and not what they were given."""
    names = ("id", "job_id", "conversation_id", "history_until", "usage")
    return connection.execute(sa.select(*(tasks.c[name] for name in names)).where(which)).all()


def _is_below(job_id: str) -> sa.ColumnElement[bool]:
    """Whether a task is of a job below this one."""
    return sa.and_(tasks.c.job_id > f"{job_id}.", tasks.c.job_id < f"{job_id}/")  # "/" is next


def sum_up(usages: Iterable[dict[str, int]]) -> dict[str, int]:
    """Usage that adds up, by what is counted."""
    total: dict[str, int] = {}
    for usage in usages:
        for name, count in usage.items():
            total[name] = total.get(name, 0) + count
    return total


def create(
    connection: sa.Connection,
    conversation: str,
    project: str,
    task: str,
    user: str | None,
    new: Sequence[Entry],
) -> None:
    """A new conversation with these entries, held by the task's first epoch: a chat of its user."""
    now = clock.now()
    connection.execute(
        _insert_conversation,
        {
            "id": conversation,
            "project": project,
            "kind": "task" if user is None else "chat",
            "user": user,
            "holder": task,
            "epoch": 1,
            "last_seq": len(new),
            "created_at": now,
        },
    )
    _insert(connection, conversation, task, 1, new, 1, now)


def obtain(
    connection: sa.Connection,
    conversation: str,
    *,
    project: str,
    task: str,
    user: str | None,
    job: str,
    epoch: int,
    wait: str | None,
) -> int | None:
    """Hold a conversation that others have written: its last number; None if the task must wait.

    Without a `wait` id, or when waiting would never end, raises ConversationBusy. Raises
    ConversationNotFound, UserNotAllowed.
    """
    row = may_continue(connection, conversation, project=project, user=user)
    if row.holder is None:
        return _give(connection, conversation, None, task, epoch=epoch)
    if wait is None:
        raise ConversationBusy(
            f"Conversation {conversation} is busy with task {row.holder}. "
            'Try later, or wait for it with when_busy="wait".',
            holder=row.holder,
        )
    connection.execute(
        sa.insert(line).values(conversation_id=conversation, task_id=task, wait_id=wait)
    )
    if cycles.waits_for(connection, row.holder, job):
        raise ConversationBusy(
            f"Conversation {conversation} is busy with task {row.holder}, which waits for this "
            "very job in turn. Continue another conversation, or none.",
            holder=row.holder,
        )
    return None


def may_continue(
    connection: sa.Connection, conversation: str, *, project: str, user: str | None
) -> sa.Row[Any]:
    """A conversation that a task for this user, or for none, may go on with: a chat is its user's.

    Raises ConversationNotFound, UserNotAllowed.
    """
    row = connection.execute(
        sa.select(conversations).where(
            conversations.c.id == conversation, conversations.c.project == project
        )
    ).first()
    if row is None:
        raise ConversationNotFound(
            f'No conversation "{conversation}" in project "{project}". '
            "Leave conversation= out to begin a new one."
        )
    if row.user == user:
        return row
    if row.user is None:
        why = "is the record of tasks in the background, and not a chat"
    elif user is None:
        why = "is a chat, and only messages of its user continue it"
    else:
        why = f"is not a chat of {user}"
    raise UserNotAllowed(
        f"Conversation {conversation} {why}. Leave conversation= out to begin a new one.",
        user=user,
    )


def take_if_free(connection: sa.Connection, conversation: str, task: str, epoch: int) -> int | None:
    """Hold a conversation that nobody holds: its last number; None if somebody does."""
    return _give(connection, conversation, None, task, epoch=epoch)


def place_in_line(connection: sa.Connection, task: str) -> str | None:
    """The id of the wait of a task that waits in line."""
    return connection.execute(sa.select(line.c.wait_id).where(line.c.task_id == task)).scalar()


def release(connection: sa.Connection, task: str, conversation: str) -> list[inbox.Delivery]:
    """A task has ended: its conversation, if it holds it, goes to the next in line, who is told."""
    if connection.execute(_free, {"conversation": conversation, "task": task}).rowcount:
        return []  # nobody waits for it, in one statement
    connection.execute(_leave_line, {"task": task})
    place = connection.execute(_first_in_line, {"conversation": conversation}).first()
    if place is None:
        _give(connection, conversation, task, None, epoch=0)
        return []
    until = _give(connection, conversation, task, place.task_id, epoch=place.epoch)
    if until is None:
        return []
    connection.execute(_leave_line, {"task": place.task_id})
    # What the tasks before it have written is its history, unless it had begun before.
    connection.execute(
        sa.update(tasks)
        .where(tasks.c.id == place.task_id, tasks.c.history_until < 0)
        .values(history_until=until)
    )
    return inbox.settle(
        connection, place.wait_id, place.job_id, {"turn": True}, source="conversation"
    )


def _give(
    connection: sa.Connection,
    conversation: str,
    giver: str | None,
    taker: str | None,
    *,
    epoch: int,
) -> int | None:
    """Hand a conversation on; its last number, or None if the giver does not hold it."""
    return connection.execute(
        _give_to,
        {"conversation": conversation, "giver": giver, "taker": taker, "of_epoch": epoch},
    ).scalar()
