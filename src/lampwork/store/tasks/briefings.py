"""What the requests of tasks held besides their conversations, once by its digest."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.store.schema import briefings, conversations, entries
from lampwork.types import Json

_DAY = 86400.0

_keep = insert(briefings)
_keep = _keep.on_conflict_do_update(
    index_elements=["digest"],
    set_={"used_at": _keep.excluded.used_at},
    # Not at each task: all of them would write the same row.
    where=briefings.c.used_at < _keep.excluded.used_at - _DAY,
)


def keep(connection: sa.Connection, digest: str, content: str) -> None:
    """Keep a briefing, unless it is kept already."""
    connection.execute(_keep, {"digest": digest, "content": content, "used_at": clock.now()})


def collect(connection: sa.Connection) -> int:
    """Delete those that were used last before any conversation began that is there.

    A task belongs to a conversation that is older than it, and so does the entry that names its
    briefing; that of a copied conversation to the one that it was copied from. How many it were.
    """
    eldest = connection.execute(sa.select(sa.func.min(conversations.c.created_at))).scalar()
    unused = clock.now() if eldest is None else eldest
    gone = sa.delete(briefings).where(briefings.c.used_at < unused - _DAY)
    return connection.execute(gone).rowcount


def of_task(connection: sa.Connection, task_id: str) -> Sequence[dict[str, Json]]:
    """Those that a task's requests have held."""
    bodies = connection.execute(
        sa.select(entries.c.body).where(entries.c.task_id == task_id, entries.c.kind == "told")
    ).scalars()
    digests = {each["briefing"] for each in bodies if each.get("briefing")}
    return list(some(connection, digests).values())


def some(connection: sa.Connection, digests: Collection[str]) -> dict[str, dict[str, Json]]:
    """Those of these digests, by digest."""
    found = connection.execute(
        sa.select(briefings.c.digest, briefings.c.content).where(briefings.c.digest.in_(digests))
    )
    return {digest: json.loads(content) for digest, content in found}
