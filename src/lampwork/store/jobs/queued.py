"""Jobs that were accepted and have not begun: which of them begin next, and how many there may be.

Recipes take turns, each with its oldest job first, so that one that was started ten thousand times
keeps no other waiting. Every function runs inside one transaction.
"""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import NamedTuple

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import QueueFull
from lampwork.store.jobs import queues
from lampwork.store.processes.share import Share
from lampwork.store.schema import jobs, places
from lampwork.store.schema.base import Apart, said

__all__ = ["Queued", "require_room", "to_start"]


LEFT_TO_NEWER = 10.0
"""Seconds for which older code leaves new jobs to newer code that executes beside it: longer only
if that has no room for them, or does not stay alive."""


class Queued(NamedTuple):
    """A job, by its id, and the recipe or function that it is of."""

    id: str
    callable: str


# In the words of the index: SQLite would take that of all jobs of a recipe, as likely, and look at
# each that has ended.
_may_start = sa.and_(Apart(jobs.c.status) == said("queued"), Apart(jobs.c.want) == said("run"))
_next_name = sa.select(sa.func.min(jobs.c.callable)).where(
    _may_start,
    jobs.c.project == sa.bindparam("project"),
    jobs.c.callable > sa.bindparam("after"),
)


def to_start(connection: sa.Connection, share: Share, limit: int, after: str = "") -> list[Queued]:
    """Jobs of a share that may begin now, recipes by turns; the first turn is of who is `after`."""
    names = _names(connection, share.project)
    turn = next((at for at, name in enumerate(names) if name > after), 0)
    found = [_of(connection, share, name, limit) for name in names[turn:] + names[:turn]]
    by_turns = chain.from_iterable(zip_longest(*found))
    return [each for each in by_turns if each is not None][:limit]


def _names(connection: sa.Connection, project: str) -> list[str]:
    """What there are queued jobs of, each found by one step in the index."""
    names = list[str]()
    name: str | None = ""
    while name is not None:
        found = connection.execute(_next_name, {"project": project, "after": name})
        if (name := found.scalar()) is not None:
            names.append(name)
    return names


def _of(connection: sa.Connection, share: Share, name: str, limit: int) -> list[Queued]:
    """The oldest queued jobs of a recipe or function, as many as may begin."""
    ours = sa.and_(share.condition(), share.may_begin(since=clock.now() - LEFT_TO_NEWER))
    of_recipe = (jobs.c.project == share.project, jobs.c.callable == name)
    query = sa.select(jobs.c.id).where(_may_start, *of_recipe, ours)
    free = queues.free_places(connection, share.project, name)
    if free is None:
        found = [query.order_by(jobs.c.created_at, jobs.c.position, jobs.c.id).limit(limit)]
    else:
        query = query.join(places, places.c.holder == jobs.c.id).order_by(places.c.id)
        # Who was to start a job may have died when it had its place, and nothing more.
        has_place = query.where(places.c.held.is_(True)).limit(limit)
        in_line = query.where(places.c.held.is_(False)).limit(max(0, min(free, limit)))
        found = [has_place, in_line]
    return [Queued(job_id, name) for each in found for job_id in connection.execute(each).scalars()]


def require_room(connection: sa.Connection, project: str, max_queued: int) -> None:
    """Raise QueueFull if so many jobs of a project are waiting to begin."""
    waiting = sa.select(jobs.c.id).where(_may_start, jobs.c.project == project)
    full = connection.execute(waiting.limit(1).offset(max_queued - 1)).first()
    if full is not None:
        raise QueueFull(
            f'Project "{project}" has {max_queued:,} jobs queued, and takes no more: nothing was '
            "started. Try again later, with an idempotency key if you can't tell whether it was; "
            "or let more workers execute, or raise its max_queued.",
            max_queued=max_queued,
        )
