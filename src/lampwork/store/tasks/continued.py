"""Which conversation a task of a copied job continues: never one that its original wrote to.

It gets a new one with the same beginning: what the calls that the copy keeps had left there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from lampwork import clock
from lampwork.store import blobs
from lampwork.store.schema import calls, conversations, entries, jobs, tasks

_copy_of = sa.select(jobs.c.copy_of).where(jobs.c.id == sa.bindparam("job"))
_copied_from = sa.select(conversations.c.copied_from).where(
    conversations.c.id == sa.bindparam("conversation")
)


def continued(connection: sa.Connection, wanted: str, *, root: str, new_id: str) -> str:
    """The conversation that a task below `root` continues when it asks for `wanted`.

    That itself, unless `root` is a copy and a job that it stems from wrote to it. Then it is the
    one that the copy goes on with in its place; the first task to ask makes it, under `new_id`.
    A conversation that only others wrote to is continued itself, as in any job.
    """
    originals = list(_originals(connection, root))
    if not originals:
        return wanted
    base = _base(connection, wanted)
    if (own := _made_for(connection, root, base)) is not None:
        return own
    made = (_made_for(connection, each, base) for each in originals)
    source = next((each for each in made if each is not None), base)
    until = _until(connection, source, originals, root)
    if until is None:
        return wanted
    copy(connection, source, until, new_id, root)
    return new_id


def _originals(connection: sa.Connection, job_id: str) -> Iterator[str]:
    """The job that one is a copy of, the one that this is a copy of, and so on."""
    while (original := connection.execute(_copy_of, {"job": job_id}).scalar()) is not None:
        yield original
        job_id = original


def _base(connection: sa.Connection, conversation: str) -> str:
    """The conversation that this one, if it was copied, has its beginning from in the first place.

    The recipe knows one and the same by the id of any of its copies, as its kept calls gave them.
    """
    while (
        source := connection.execute(_copied_from, {"conversation": conversation}).scalar()
    ) is not None:
        conversation = source
    return conversation


def _made_for(connection: sa.Connection, root: str, base: str) -> str | None:
    """The copy of a conversation that a copied job goes on with."""
    found = connection.execute(
        sa.select(conversations.c.id).where(conversations.c.copied_for == root)
    ).scalars()
    return next((each for each in found if _base(connection, each) == base), None)


def _until(
    connection: sa.Connection, conversation: str, originals: list[str], root: str
) -> int | None:
    """The last entry from before the first task that the copy does not keep.

    None if none of the originals wrote there.
    """
    writers = connection.execute(
        sa.select(tasks.c.history_until, tasks.c.call, jobs.c.id, jobs.c.root_id)
        .join(jobs, jobs.c.id == tasks.c.job_id)
        .where(
            tasks.c.conversation_id == conversation,
            tasks.c.history_until >= 0,
            jobs.c.root_id.in_(originals),
        )
    ).all()
    if not writers:
        return None
    kept = connection.execute(
        sa.select(calls.c.kept_from, calls.c.number).where(
            calls.c.job_id == root, calls.c.kept_from.is_not(None)
        )
    )
    known = {(row.kept_from, row.number) for row in kept}
    begun_anew = [
        row.history_until for row in writers if (row.root_id, _top_call(row)) not in known
    ]
    last = sa.select(conversations.c.last_seq).where(conversations.c.id == conversation)
    return min(begun_anew) if begun_anew else connection.execute(last).scalar_one()


def _top_call(row: Any) -> int:
    """The number of the root's call that a task belongs to."""
    below = row.id.removeprefix(f"{row.root_id}.")
    return row.call if row.id == row.root_id else int(below.partition(".")[0])


def copy(connection: sa.Connection, source: str, until: int, new_id: str, root: str) -> None:
    """A conversation for the copy `root` of a job, with the entries of another up to `until`."""
    found = connection.execute(sa.select(conversations).where(conversations.c.id == source))
    own = {
        "id": new_id,
        "holder": None,
        "epoch": 0,
        "last_seq": until,
        "copied_from": source,
        "copied_for": root,
        "created_at": clock.now(),
    }
    connection.execute(sa.insert(conversations).values({**found.mappings().one(), **own}))
    seen = (entries.c.conversation_id == source) & (entries.c.seq <= until)
    writers = sa.select(tasks.c.job_id, tasks.c.id)
    writers = writers.join(entries, entries.c.task_id == tasks.c.id).where(seen).distinct()
    # The files of a task are its job's, and its own when that is gone.
    blobs.own_as(connection, root, [id for row in connection.execute(writers) for id in row])
    columns = [column.name for column in entries.c if column.name != "conversation_id"]
    connection.execute(
        sa.insert(entries).from_select(
            ["conversation_id", *columns],
            sa.select(sa.literal(new_id), *(entries.c[name] for name in columns)).where(seen),
        )
    )
