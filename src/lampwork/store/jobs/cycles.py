"""Who waits for whom: jobs and tasks that can't end before others have, as far as rows tell.

A job waits for its children, for the job before it where its recipe keeps order, and for the holder
of a conversation that a task of it wants; a task, for the children that its skill calls started.
"""

from __future__ import annotations

import sqlalchemy as sa

from lampwork.store.schema import conversations, jobs, limits, line, places, tasks
from lampwork.types import ENDED, is_job_id

__all__ = ["waits_for"]

_child = sa.and_(
    jobs.c.parent_id == sa.bindparam("parent"),
    jobs.c.detached.is_(False),
    jobs.c.status.not_in(ENDED),
)
_children_of_job = sa.select(jobs.c.id).where(_child)
_children_of_task = sa.select(jobs.c.id).where(_child, jobs.c.parent_call == sa.bindparam("call"))
_own, _other = places.alias("own"), places.alias("other")
_before = (
    sa.select(_other.c.job_id)
    .join(
        _own,
        sa.and_(
            _own.c.project == _other.c.project,
            _own.c.kind == _other.c.kind,
            _own.c.name == _other.c.name,
        ),
    )
    .join(
        limits,
        sa.and_(
            limits.c.project == _own.c.project,
            limits.c.kind == _own.c.kind,
            limits.c.name == _own.c.name,
        ),
    )
    .where(
        _own.c.holder == sa.bindparam("job"),
        _own.c.kind == "recipe",
        _own.c.held.is_(False),
        limits.c.ordered.is_(True),
        _other.c.held.is_(True),
    )
)
_waiting = tasks.alias("waiting")
_holders = (
    sa.select(conversations.c.holder)
    .join(line, line.c.conversation_id == conversations.c.id)
    .join(_waiting, _waiting.c.id == line.c.task_id)
    .where(_waiting.c.job_id == sa.bindparam("job"), conversations.c.holder.is_not(None))
)
_task = sa.select(tasks.c.job_id, tasks.c.call).where(tasks.c.id == sa.bindparam("task"))


def waits_for(connection: sa.Connection, start: str, sought: str) -> bool:
    """Whether a job, or a task, can't end before another job has got on, or is that job."""
    seen: set[str] = set()
    to_end = [start]
    while to_end:
        if (each := to_end.pop()) == sought:
            return True
        if each not in seen:
            seen.add(each)
            to_end += _waited_for(connection, each)
    return False


def _waited_for(connection: sa.Connection, each: str) -> list[str]:
    """The jobs and tasks that one waits for itself, by their ids."""
    if not is_job_id(each):
        task = connection.execute(_task, {"task": each}).one()
        given = {"parent": task.job_id, "call": task.call}
        return list(connection.execute(_children_of_task, given).scalars())
    found = list(connection.execute(_children_of_job, {"parent": each}).scalars())
    for query in (_before, _holders):
        found += connection.execute(query, {"job": each}).scalars()
    return found
