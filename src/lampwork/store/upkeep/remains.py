"""What jobs, tasks and conversations leave behind when they go, and its deletion bit by bit.

Who removes one, or erases a job, writes its id into `pruned` in the same transaction. `sweep`
deletes what belonged to it, a bounded number of rows at a time, and crosses the id off last, so
what a crash interrupts is gone on with by whoever sweeps next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork.store import blobs
from lampwork.store.schema import (
    artifacts,
    blob_owners,
    budgets,
    calls,
    conversations,
    ends,
    entries,
    inbox,
    jobs,
    line,
    logs,
    places,
    pruned,
    reservations,
    tasks,
    triggers,
    waits,
)
from lampwork.store.tasks import uploads

__all__ = ["delete_waits", "left", "mark", "mark_blobs", "sweep", "take_jobs", "take_tasks"]

_mark = insert(pruned).on_conflict_do_nothing()
_delete_messages = sa.delete(inbox).where(
    inbox.c.wait_id.is_(None),
    inbox.c.topic >= sa.bindparam("first"),
    inbox.c.topic < sa.bindparam("last"),
)
_hand_over = insert(blob_owners).on_conflict_do_nothing()


def mark(connection: sa.Connection, ids: Iterable[str]) -> None:
    """These are gone, or erased, and what they leave behind is to be swept."""
    if rows := [{"id": each} for each in ids]:
        connection.execute(_mark, rows)


def left(connection: sa.Connection, limit: int) -> Sequence[str]:
    """Ids of those that have left rows behind; the contents of files when nothing else is left."""
    query = sa.select(pruned.c.id).order_by(pruned.c.id).limit(limit)
    owners = connection.execute(query.where(pruned.c.id >= "c")).scalars().all()
    return owners or connection.execute(query).scalars().all()


def mark_blobs(connection: sa.Connection, owners: Sequence[str]) -> None:
    """What these jobs and tasks have, and nobody else, is deleted after them, however young."""
    owned = sa.select(blob_owners.c.digest).where(blob_owners.c.owner.in_(owners))
    saved = sa.select(artifacts.c.digest).where(artifacts.c.task_id.in_(owners))
    digests = connection.execute(owned.union(saved)).scalars().all()
    mark(connection, [f"b{digest}" for digest in digests])


def take_jobs(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Remove jobs. Their tasks stay as long as their conversations do."""
    mark(connection, ids)
    without_conversation = sa.select(tasks.c.id).where(
        tasks.c.job_id.in_(ids), ~sa.exists().where(conversations.c.id == tasks.c.conversation_id)
    )
    take_tasks(connection, connection.execute(without_conversation).scalars().all())
    _hand_files_over(connection, ids)
    delete_waits(connection, ids)
    connection.execute(sa.update(triggers).where(triggers.c.job_id.in_(ids)).values(job_id=None))
    connection.execute(sa.delete(jobs).where(jobs.c.id.in_(ids)))


def _hand_files_over(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """The files that a conversation tells of stay with it, and are its tasks' from now on."""
    rows = connection.execute(
        sa.select(tasks.c.id, tasks.c.job_id, tasks.c.files).where(
            tasks.c.job_id.in_(job_ids), tasks.c.files.is_not(None)
        )
    )
    for row in rows.all():
        digests = {file[name] for file in row.files for name in ("digest", "text")} - {None}
        owned = sa.select(blob_owners.c.digest, sa.literal(row.id)).where(
            blob_owners.c.owner == row.job_id, blob_owners.c.digest.in_(digests)
        )
        connection.execute(_hand_over.from_select(["digest", "owner"], owned))


def take_tasks(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Remove tasks."""
    mark(connection, ids)
    connection.execute(sa.delete(tasks).where(tasks.c.id.in_(ids)))


def delete_waits(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """Delete all that jobs have waited for, and what came for it or was sent to them."""
    own = sa.select(waits.c.id).where(waits.c.job_id.in_(job_ids))
    connection.execute(sa.delete(inbox).where(inbox.c.wait_id.in_(own)))
    if topics := [{"first": f"{each}:", "last": f"{each};"} for each in job_ids]:
        connection.execute(_delete_messages, topics)
    connection.execute(sa.delete(waits).where(waits.c.job_id.in_(job_ids)))


def sweep(connection: sa.Connection, ids: Sequence[str], *, at_most: int) -> int:
    """Delete what these have left behind, so many rows at the most; with how many it is done."""
    for done, each in enumerate(ids):
        for delete in _LEFT_BEHIND[each[0]]:
            at_most -= delete(connection, each, at_most)
            if at_most <= 0:
                return done
        connection.execute(sa.delete(pruned).where(pruned.c.id == each))
        at_most -= 1
    return len(ids)


# --- what belongs to what ---


def _jobs_below(connection: sa.Connection, root: str, limit: int) -> int:
    """Of a root that is gone, some of the jobs below it; those of an erased one stay."""
    if connection.execute(sa.select(jobs.c.id).where(jobs.c.id == root)).first() is not None:
        return 0
    query = sa.select(jobs.c.id).where(jobs.c.root_id == root).limit(limit)
    below = connection.execute(query).scalars().all()
    if below:
        take_jobs(connection, below)
    return len(below)


def _tasks_in(connection: sa.Connection, conversation: str, limit: int) -> int:
    """Some of the tasks of a conversation whose jobs are gone; the others go with theirs."""
    of_no_job = ~sa.exists().where(jobs.c.id == tasks.c.job_id)
    query = sa.select(tasks.c.id).where(tasks.c.conversation_id == conversation, of_no_job)
    found = connection.execute(query.limit(limit)).scalars().all()
    if found:
        take_tasks(connection, found)
    return len(found)


def _artifacts_of(connection: sa.Connection, task: str, limit: int) -> int:
    """Some of the artifacts of a task, which own their contents."""
    query = sa.select(artifacts.c.call, artifacts.c.name, artifacts.c.digest)
    found = connection.execute(query.where(artifacts.c.task_id == task).limit(limit)).all()
    for row in found:
        blobs.disown(connection, f"{task}.{row.call}/{row.name}", row.digest)
        connection.execute(
            sa.delete(artifacts).where(
                artifacts.c.task_id == task,
                artifacts.c.call == row.call,
                artifacts.c.name == row.name,
            )
        )
    return len(found)


def _budget_of(connection: sa.Connection, task: str, _limit: int) -> int:
    """The budget of a task that is gone; of an erased one it stays, with what was spent."""
    gone = ~sa.exists().where(tasks.c.id == budgets.c.id)
    return connection.execute(sa.delete(budgets).where(budgets.c.id == task, gone)).rowcount


def _blob(connection: sa.Connection, marked: str, _limit: int) -> int:
    """A content, if nobody else owns it."""
    uploads.forget(connection, marked.removeprefix("b"))
    blobs.delete_unowned(connection, [marked.removeprefix("b")])
    return 1


class _Rows:
    """Some rows of a table that name it in a column."""

    def __init__(self, column: sa.Column[str]) -> None:
        table = column.table
        key = list(table.primary_key)
        some = sa.select(*key).where(column == sa.bindparam("of")).limit(sa.bindparam("some"))
        self._delete = sa.delete(table).where(sa.tuple_(*key).in_(some))  # type: ignore[arg-type]

    def __call__(self, connection: sa.Connection, of: str, limit: int) -> int:
        return connection.execute(self._delete, {"of": of, "some": limit}).rowcount


_OF_JOBS = (
    calls.c.job_id,
    ends.c.job_id,
    logs.c.job_id,
    places.c.job_id,
    blob_owners.c.owner,
)
_LEFT_BEHIND = {
    "j": (
        _jobs_below,
        *map(_Rows, _OF_JOBS),
    ),
    "t": (
        _artifacts_of,
        *map(_Rows, (blob_owners.c.owner, line.c.task_id, reservations.c.task_id)),
        _budget_of,
    ),
    "c": (_tasks_in, _Rows(entries.c.conversation_id)),
    "b": (_blob,),
}
"""What belongs to a job, a task and a conversation, by the first letter of their ids; a blob."""
