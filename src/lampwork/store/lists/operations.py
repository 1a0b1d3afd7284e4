"""What is counted over all jobs and tasks, for those who keep the system running."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from lampwork.store.lists.queries import Row, is_wanted
from lampwork.store.processes.share import not_closed
from lampwork.store.schema import entries, executors, jobs, tasks

__all__ = ["SPENT", "jobs_by_status", "open_tasks", "processes", "queued_since", "spent"]

SPENT = (
    "requests",
    "estimated_requests",
    "input_tokens",
    "output_tokens",
    "estimated_tokens",
    "cost_nanodollars",
    "estimated_nanodollars",
    "unpriced_requests",
)
"""What is added up of the usage of model calls."""

_DAY = 86400.0

_WITH_USAGE = ("said", "summarised", "cut_off", "unanswered")


def jobs_by_status(connection: sa.Connection, project: str | None) -> dict[str, int]:
    """How many jobs have each status."""
    of_project = is_wanted(jobs.c.project, project)
    query = sa.select(jobs.c.status, sa.func.count()).where(of_project).group_by(jobs.c.status)
    return dict(connection.execute(query).all())


def queued_since(connection: sa.Connection, project: str | None) -> float | None:
    """When the job was accepted that has been queued for the longest; not items of a map whose
    turn has not come."""
    waiting = sa.and_(jobs.c.status == "queued", jobs.c.want == "run")
    query = sa.select(sa.func.min(jobs.c.created_at))
    query = query.where(waiting, is_wanted(jobs.c.project, project))
    return connection.execute(query).scalar()


def open_tasks(connection: sa.Connection, project: str | None) -> dict[str, int]:
    """How many tasks that have not ended have each status."""
    query = (
        sa.select(tasks.c.status, sa.func.count())
        .join(jobs, jobs.c.id == tasks.c.job_id)
        .where(tasks.c.ended_at.is_(None), is_wanted(jobs.c.project, project))
        .group_by(tasks.c.status)
    )
    return dict(connection.execute(query).all())


def spent(
    connection: sa.Connection, since: float, project: str | None, *, by_day: bool = False
) -> Sequence[Row]:
    """What model calls have used since then, by project, genie and model; and `day`, from 1970."""
    model = sa.func.coalesce(
        entries.c.body["model"].as_string(),
        entries.c.body[("response", "model_name")].as_string(),
    )
    under_way = sa.or_(tasks.c.ended_at.is_(None), tasks.c.ended_at >= since)
    counted: list[sa.ColumnElement[Any]] = [
        sa.func.coalesce(
            sa.func.sum(sa.cast(entries.c.body[("usage", name)].as_string(), sa.BigInteger)), 0
        ).label(name)
        for name in SPENT
    ]
    shown: list[sa.ColumnElement[Any]] = [jobs.c.project, tasks.c.genie, model.label("model")]
    if by_day:
        shown.insert(0, sa.func.floor(entries.c.at / _DAY).label("day"))
    return connection.execute(
        sa.select(*shown, *counted)
        .select_from(tasks)
        .join(jobs, jobs.c.id == tasks.c.job_id)
        .join(
            entries,
            sa.and_(
                entries.c.conversation_id == tasks.c.conversation_id,
                entries.c.task_id == tasks.c.id,
            ),
        )
        .where(under_way, entries.c.at >= since, entries.c.kind.in_(_WITH_USAGE))
        .where(is_wanted(jobs.c.project, project))
        .group_by(*shown)
        .order_by(*shown)
    ).all()


def processes(
    connection: sa.Connection, since: float, project: str | None, limit: int
) -> Sequence[Row]:
    """Processes that execute, or have since then, and have counted something; the newest first."""
    return connection.execute(
        sa.select(executors)
        .where(
            executors.c.counters.is_not(None),
            is_wanted(executors.c.project, project),
            sa.or_(not_closed, executors.c.closed_at >= since),
        )
        .order_by(executors.c.started_at.desc())
        .limit(limit)
    ).all()
