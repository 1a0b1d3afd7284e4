"""The places of tasks: how many a genie works on at a time, and the line of those that wait.

A task holds its place while it gets on, gives it up while it only waits, and takes one again
before its next model call; so whoever holds one needs nothing of those who wait for it. Places go
to those who came first. Every function runs inside one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from lampwork.store.jobs import inbox
from lampwork.store.schema import limits, places, tasks, waits
from lampwork.store.tasks.conversations import StaleEpoch
from lampwork.types import TaskStatus, wait_id

__all__ = [
    "Wanted",
    "free",
    "free_all_of",
    "grant",
    "is_held",
    "leave",
    "only_waited",
    "open_wait",
    "require_current",
    "take",
]

_of_task = sa.select(places).where(places.c.holder == sa.bindparam("task"))
_is_current = sa.select(
    sa.exists().where(tasks.c.id == sa.bindparam("task"), tasks.c.epoch == sa.bindparam("of_epoch"))
)
_of_genie = sa.and_(
    places.c.project == sa.bindparam("project"),
    places.c.kind == "genie",
    places.c.name == sa.bindparam("genie"),
)
_held = sa.select(sa.func.count()).where(_of_genie, places.c.held.is_(True))
_most = sa.select(limits.c.most).where(
    limits.c.project == sa.bindparam("project"),
    limits.c.kind == "genie",
    limits.c.name == sa.bindparam("genie"),
)
_in_line = (
    sa.select(places)
    .where(_of_genie, places.c.held.is_(False), places.c.wait_id.is_not(None))
    .order_by(places.c.id)
)
_insert = sa.insert(places)
_set = (
    sa.update(places)
    .where(places.c.holder == sa.bindparam("task"))
    .values(held=sa.bindparam("now_held"), wait_id=sa.bindparam("waits_under"))
)
_set_status = (
    sa.update(tasks)
    .where(tasks.c.id == sa.bindparam("task"), tasks.c.ended_at.is_(None))
    .values(status=sa.bindparam("shown"))
)
_delete = sa.delete(places).where(places.c.holder == sa.bindparam("task")).returning(*places.c)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A place that a task needs before it asks its model."""

    project: str
    genie: str
    job_id: str
    call: int
    due_at: float | None
    """Until when it may wait for it."""


def take(
    connection: sa.Connection, _conversation: str, task: str, epoch: int, wanted: Wanted
) -> inbox.Wait | None:
    """Hold a place, or stand in line for one under the wait that is returned, written down.

    Raises StaleEpoch.
    """
    require_current(connection, task, epoch)
    genie = {"project": wanted.project, "genie": wanted.genie}
    row = connection.execute(_of_task, {"task": task}).first()
    if row is not None and row.held:
        return None
    most = connection.execute(_most, genie).scalar()
    free = most is None or connection.execute(_held, genie).scalar_one() < most
    wait = None if free else _wait(connection, task, epoch, wanted, most or 1)
    if free and epoch > 1:
        _settle_earlier(connection, task, wanted)
    if row is None:
        connection.execute(
            _insert,
            {
                "project": wanted.project,
                "kind": "genie",
                "name": wanted.genie,
                "holder": task,
                "job_id": wanted.job_id,
                "held": free,
                "wait_id": wait and wait.id,
            },
        )
    else:
        _put(connection, task, held=free, wait=wait and wait.id)
    _show(connection, task, "working" if free else "waiting")
    return wait


def _settle_earlier(connection: sa.Connection, task: str, wanted: Wanted) -> None:
    """Answer the wait that an earlier run, which has ended in line, has left open."""
    left = sa.select(waits.c.id).where(
        waits.c.job_id == wanted.job_id,
        waits.c.task_id == task,
        waits.c.kind == "place",
        waits.c.answered.is_(False),
    )
    for wait in connection.execute(left).scalars().all():
        source = f"genie {wanted.genie}"
        inbox.settle(connection, wait, wanted.job_id, {"place": True}, source=source)


def require_current(connection: sa.Connection, task: str, epoch: int) -> None:
    """Raise StaleEpoch if a task goes on under another epoch."""
    if not connection.execute(_is_current, {"task": task, "of_epoch": epoch}).scalar():
        raise StaleEpoch(f"task {task} does not go on under epoch {epoch}")


def _wait(
    connection: sa.Connection, task: str, epoch: int, wanted: Wanted, most: int
) -> inbox.Wait:
    """The wait of a task in line; one that has waited and got its place, and waits again, anew."""
    of_task = sa.and_(
        waits.c.job_id == wanted.job_id, waits.c.task_id == task, waits.c.kind == "place"
    )
    before = connection.execute(
        sa.select(sa.func.count()).where(of_task, waits.c.answered.is_(True))
    ).scalar_one()
    wait = inbox.Wait(
        id=wait_id(wanted.job_id, wanted.call, f"place{before + 1}"),
        job_id=wanted.job_id,
        call=wanted.call,
        kind="place",
        task_id=task,
        due_at=wanted.due_at,
        subject={"genie": wanted.genie, "max_concurrent_tasks": most, "epoch": epoch},
    )
    inbox.open_wait(connection, wait)
    return wait


def only_waited(connection: sa.Connection, job_id: str, task: str, epoch: int) -> bool:
    """Whether the run before this epoch ended while the task waited to ask its model."""
    ended_there = sa.or_(waits.c.parked.is_(True), waits.c.answered.is_(False))
    query = sa.exists().where(
        waits.c.job_id == job_id,
        waits.c.task_id == task,
        waits.c.kind.in_(("place", "rate")),
        waits.c.subject["epoch"].as_integer() == epoch - 1,
        ended_there,
    )
    return bool(connection.execute(sa.select(query)).scalar())


def is_held(connection: sa.Connection, task: str) -> bool:
    """Whether a task holds its place."""
    row = connection.execute(_of_task, {"task": task}).first()
    return row is not None and row.held


def open_wait(
    connection: sa.Connection, _conversation: str, task: str, epoch: int, wait: inbox.Wait
) -> tuple[inbox.Answer | None, float | None, list[inbox.Delivery] | None]:
    """Open a wait of a task that does nothing else meanwhile, and give up its place with it.

    As `inbox.open_wait`, and who is told that it is their turn; None if the answer is here already,
    and the place is kept. Raises StaleEpoch.
    """
    require_current(connection, task, epoch)
    answer, due_at = inbox.open_wait(connection, wait)
    return answer, due_at, None if answer is not None else free(connection, task)


def free_waiting(
    connection: sa.Connection, _conversation: str, task: str, epoch: int
) -> list[inbox.Delivery]:
    """As `free`, of a task whose run goes on and only waits. Raises StaleEpoch."""
    require_current(connection, task, epoch)
    return free(connection, task)


def free(connection: sa.Connection, task: str) -> list[inbox.Delivery]:
    """Give a task's place to the next in line; it keeps its number for when it needs one again."""
    row = connection.execute(_of_task, {"task": task}).first()
    if row is None:
        return []
    _put(connection, task, held=False, wait=None)
    return grant(connection, row.project, row.name) if row.held else []


def leave(connection: sa.Connection, task: str) -> list[inbox.Delivery]:
    """A task has ended: its place is another's. Returns who is told that it is their turn."""
    row = connection.execute(_delete, {"task": task}).first()
    return [] if row is None or not row.held else grant(connection, row.project, row.name)


def grant(connection: sa.Connection, project: str, genie: str) -> list[inbox.Delivery]:
    """Give the free places of a genie to those who came first. Returns who is told."""
    of_genie = {"project": project, "genie": genie}
    query, most = _in_line, connection.execute(_most, of_genie).scalar()
    if most is not None:
        query = query.limit(max(0, most - connection.execute(_held, of_genie).scalar_one()))
    told: list[inbox.Delivery] = []
    for row in connection.execute(query, of_genie).all():
        _put(connection, row.holder, held=True, wait=None)
        _show(connection, row.holder, "working")
        told += inbox.settle(
            connection, row.wait_id, row.job_id, {"place": True}, source=f"genie {genie}"
        )
    return told


def free_all_of(connection: sa.Connection, job_ids: sa.Select[tuple[str]]) -> list[inbox.Delivery]:
    """These jobs do not run: their tasks hold no places, and stand in no line until they do."""
    genies = connection.execute(
        sa.update(places)
        .where(places.c.kind == "genie", places.c.job_id.in_(job_ids))
        .values(held=False, wait_id=None)
        .returning(places.c.project, places.c.name)
    ).all()
    return [
        delivery
        for project, genie in dict.fromkeys((row.project, row.name) for row in genies)
        for delivery in grant(connection, project, genie)
    ]


def _put(connection: sa.Connection, task: str, *, held: bool, wait: str | None) -> None:
    connection.execute(_set, {"task": task, "now_held": held, "waits_under": wait})


def _show(connection: sa.Connection, task: str, status: TaskStatus) -> None:
    connection.execute(_set_status, {"task": task, "shown": status})
