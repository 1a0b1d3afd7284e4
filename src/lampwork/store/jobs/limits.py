"""What a project's code limits: tasks of its genies, jobs of its recipes. In one transaction each.

The rows are those of the code that began to execute last; whoever gives out a place reads them, so
that all workers go by the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from lampwork.store.jobs import inbox, queues
from lampwork.store.schema import jobs, limits
from lampwork.store.schema import places as places_table
from lampwork.store.tasks import places

__all__ = ["InLine", "Limit", "declare", "in_line", "release_executor", "release_job"]

_leave = (
    sa.delete(places_table)
    .where(places_table.c.job_id == sa.bindparam("job"))
    .returning(*places_table.c)
)
_leave_line = _leave.where(places_table.c.kind == "genie")


@dataclass(frozen=True, slots=True)
class Limit:
    """How many tasks of a genie are worked on at a time, or how many jobs of a recipe."""

    kind: Literal["genie", "recipe"]
    name: str
    most: int
    ordered: bool = False
    """Of a recipe: whether a job begins when the one before it has ended."""


def declare(connection: sa.Connection, project: str, defined: Sequence[Limit]) -> None:
    """Go by these limits from now on, and by no others; those who may go on by them are let in."""
    of_project = sa.select(limits).where(limits.c.project == project)
    rows = connection.execute(of_project).all()
    before = {Limit(row.kind, row.name, row.most, row.ordered) for row in rows}
    if before == set(defined):
        return
    connection.execute(sa.delete(limits).where(limits.c.project == project))
    if defined:
        connection.execute(
            sa.insert(limits),
            [
                {
                    "project": project,
                    "kind": each.kind,
                    "name": each.name,
                    "most": each.most,
                    "ordered": each.ordered,
                }
                for each in defined
            ],
        )
    queues.redo(connection, project)
    for genie in {each.name for each in before if each.kind == "genie"}:
        places.grant(connection, project, genie)


def release_executor(connection: sa.Connection, executor_id: str) -> list[inbox.Delivery]:
    """An executor is gone: tasks of its jobs hold no places until another one goes on with them.

    Its jobs keep theirs: what they have begun is not over. Returns who is told that it is their
    turn.
    """
    if connection.execute(sa.select(places_table.c.id).limit(1)).first() is None:
        return []
    left = sa.select(jobs.c.id).where(jobs.c.executor == executor_id, jobs.c.want == "run")
    return places.free_all_of(connection, left)


def release_job(
    connection: sa.Connection, job_id: str, *, ended: bool
) -> tuple[list[inbox.Delivery], bool]:
    """A job has ended, or waits for a person to mend it: what it holds is another's.

    Returns who of the tasks in line is told, and whether a place of its recipe has got free.
    """
    freed = False if ended else queues.step_out(connection, job_id)
    gone = connection.execute(_leave if ended else _leave_line, {"job": job_id}).all()
    told: list[inbox.Delivery] = []
    for row in gone:
        if row.kind == "recipe":
            freed = True
        elif row.held:
            told += places.grant(connection, row.project, row.name)
    return told, freed


@dataclass(frozen=True, slots=True)
class InLine:
    """Where a task, or a job, stands in the line of its genie or recipe."""

    holder: str
    before: int
    """How many get their turn before it; of a recipe that keeps order with the one that runs."""
    first: str | None
    """The job that all others of a recipe wait for, if that keeps order."""
    most: int
    ordered: bool


def in_line(connection: sa.Connection, job_ids: Sequence[str]) -> list[InLine]:
    """The places in line that these jobs, and their tasks, stand at."""
    other = places_table.alias("other")
    own = places_table.c
    same = sa.and_(
        other.c.project == own.project, other.c.kind == own.kind, other.c.name == own.name
    )
    queued = sa.exists().where(jobs.c.id == other.c.holder, jobs.c.status == "queued")
    waits = sa.or_(other.c.wait_id.is_not(None), queued)
    before = sa.and_(
        same, other.c.id < own.id, sa.or_(limits.c.ordered, other.c.held.is_(False) & waits)
    )
    first = sa.select(other.c.holder).where(same, limits.c.ordered).order_by(other.c.id).limit(1)
    found = connection.execute(
        sa.select(
            own.holder,
            sa.select(sa.func.count()).where(before).scalar_subquery().label("before"),
            first.scalar_subquery().label("first"),
            limits.c.most,
            limits.c.ordered,
        )
        .join(
            limits,
            sa.and_(
                limits.c.project == own.project,
                limits.c.kind == own.kind,
                limits.c.name == own.name,
            ),
        )
        .where(
            own.job_id.in_(job_ids),
            own.held.is_(False),
            sa.or_(own.wait_id.is_not(None), own.kind == "recipe"),
        )
    )
    return [InLine(*row) for row in found]
