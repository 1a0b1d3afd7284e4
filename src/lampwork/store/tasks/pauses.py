"""Genies that are paused, and the tasks that wait for them to be started.

Every function runs inside one transaction: whether a genie is paused is asked in the transaction
that opens its task, and a task that waits is written down there, so that no start is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.errors import GenieInactive
from lampwork.store.jobs import inbox
from lampwork.store.schema import jobs, pauses, waits
from lampwork.types import ENDED, wait_id

_pause_of = sa.select(pauses).where(
    pauses.c.project == sa.bindparam("project"), pauses.c.genie == sa.bindparam("genie")
)


def pause(connection: sa.Connection, project: str, genie: str, by: str, why: str) -> None:
    """Let a genie take no new tasks; a later word on it takes the place of an earlier one."""
    said = {"by": by, "why": why, "at": clock.now()}
    connection.execute(
        insert(pauses)
        .values(project=project, genie=genie, **said)
        .on_conflict_do_update(index_elements=["project", "genie"], set_=said)
    )


def start(connection: sa.Connection, project: str, genie: str, by: str) -> list[inbox.Delivery]:
    """Let a genie take tasks again; all that wait for it go on. Returns their answers."""
    connection.execute(
        sa.delete(pauses).where(pauses.c.project == project, pauses.c.genie == genie)
    )
    waiting = connection.execute(
        sa.select(waits.c.id, waits.c.job_id)
        .join(jobs, jobs.c.id == waits.c.job_id)
        .where(
            waits.c.kind == "paused",
            waits.c.answered.is_(False),
            waits.c.subject["genie"].as_string() == genie,
            jobs.c.project == project,
            jobs.c.status.not_in(ENDED),
        )
    ).all()
    return [
        delivery
        for each in waiting
        for delivery in inbox.settle(connection, each.id, each.job_id, {"started": True}, by)
    ]


def require_active(connection: sa.Connection, project: str, genie: str) -> None:
    """Raise GenieInactive if the genie is paused."""
    paused = connection.execute(_pause_of, {"project": project, "genie": genie}).first()
    if paused is not None:
        raise GenieInactive(
            f'Genie "{genie}" is paused by {paused.by} since {_utc(paused.at)}'
            f"{_because(paused.why)}. Start it (lampwork genie {genie} start), or assign the task "
            'with when_paused="wait".',
            genie=genie,
            by=paused.by,
            why=paused.why,
        )


def wait_if_paused(
    connection: sa.Connection,
    project: str,
    genie: str,
    *,
    job_id: str,
    call: int,
    task: str,
    due_at: float | None = None,
) -> inbox.Wait | None:
    """The wait, written down, of a task whose genie is paused; None if the genie is not.

    A task that has waited, and finds its genie paused anew, waits anew.
    """
    paused = connection.execute(_pause_of, {"project": project, "genie": genie}).first()
    if paused is None:
        return None
    of_task = sa.and_(waits.c.job_id == job_id, waits.c.call == call, waits.c.kind == "paused")
    before = connection.execute(
        sa.select(sa.func.count()).where(of_task, waits.c.answered.is_(True))
    ).scalar_one()
    wait = inbox.Wait(
        id=wait_id(job_id, call, f"paused{before + 1}"),
        job_id=job_id,
        call=call,
        kind="paused",
        task_id=task,
        due_at=due_at,
        subject={"genie": genie, "by": paused.by, "why": paused.why},
    )
    inbox.open_wait(connection, wait)
    return wait


def of_project(connection: sa.Connection, project: str) -> Sequence[sa.Row[Any]]:
    """The paused genies of a project."""
    query = sa.select(pauses).where(pauses.c.project == project).order_by(pauses.c.genie)
    return connection.execute(query).all()


def _utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _because(why: str) -> str:
    return f" ({why})" if why else ""
