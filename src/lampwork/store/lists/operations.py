"""What is counted over all jobs and tasks, for those who keep the system running."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import sqlalchemy as sa

from lampwork.store.lists.newest import Condition
from lampwork.store.lists.queries import Row, is_wanted
from lampwork.store.processes.share import not_closed
from lampwork.store.schema import entries, executors, jobs, tasks
from lampwork.store.schema.base import Apart, said
from lampwork.types import JobStatus

__all__ = ["Spent", "jobs_by_status", "open_tasks", "processes", "queued_since", "spent"]

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

_PLACE = [tasks.c[name] for name in ("id", "job_id", "genie", "conversation_id", "history_until")]

_MODEL = sa.func.coalesce(
    entries.c.body["model"].as_string(),
    entries.c.body[("response", "model_name")].as_string(),
)
"""That an entry is of, see `conversations.model_of`."""

_WITH_USAGE = ("said", "summarised", "cut_off", "unanswered")


def jobs_by_status(connection: sa.Connection, project: str | None) -> dict[str, int]:
    """How many jobs have each status."""
    of_project = _of(connection, project)
    # One by one: grouped, Postgres hashes the status of each job, for three times as long.
    counts = (
        sa.select(sa.func.count())
        .where(jobs.c.status == status, *of_project)
        .scalar_subquery()
        .label(status)
        for status in get_args(JobStatus)
    )
    return dict(connection.execute(sa.select(*counts)).mappings().one())


def queued_since(connection: sa.Connection, project: str | None) -> float | None:
    """When the job was accepted that has been queued for the longest; not items of a map whose
    turn has not come."""
    waiting = sa.and_(Apart(jobs.c.status) == said("queued"), Apart(jobs.c.want) == said("run"))
    query = sa.select(sa.func.min(jobs.c.created_at))
    query = query.where(waiting, is_wanted(Apart(jobs.c.project), project))
    return connection.execute(query).scalar()


def open_tasks(connection: sa.Connection, project: str | None) -> dict[str, int]:
    """How many tasks that have not ended have each status."""
    query = sa.select(tasks.c.status, sa.func.count()).where(tasks.c.ended_at.is_(None))
    of_project = _of(connection, project)
    if of_project:
        query = query.join(jobs, jobs.c.id == tasks.c.job_id).where(*of_project)
    return dict(connection.execute(query.group_by(tasks.c.status)).all())


def _of(connection: sa.Connection, project: str | None) -> Sequence[Condition]:
    """That jobs are of a project, if one is wanted and there are others: an index that knows of
    none does otherwise."""
    if project is None or _is_alone(connection, project):
        return ()
    return (Apart(jobs.c.project) == project,)


def _is_alone(connection: sa.Connection, project: str) -> bool:
    """Whether there are jobs of no other project."""
    first, last = (sa.select(each(jobs.c.project)) for each in (sa.func.min, sa.func.max))
    return {connection.scalar(first), connection.scalar(last)} == {project}


# --- what was spent ---


_Used = sa.Select[Any, Any, Any, Any, Any]
"""The job, genie, model, usage and day of each task, or of each call."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What model calls have used."""

    day: int | None
    """From 1970, if that was asked for."""
    project: str
    genie: str
    model: str | None
    usage: dict[str, int]


def spent(
    connection: sa.Connection, since: float, project: str | None, *, by_day: bool = False
) -> list[Spent]:
    """What model calls have used since then, by project, genie and model, in this order; and by
    day.

    Of a task that has begun and ended in that time, with one model, its row says all of it; of
    others each call is looked at.
    """
    found: dict[Any, dict[str, int]] = {}
    alone = project is not None and _is_alone(connection, project)
    for of_tasks in (_of_whole_tasks(since, by_day=by_day), *_of_calls(since, by_day=by_day)):
        for row in connection.execute(_summed(of_tasks, None if alone else project)):
            key = row.day, project if alone else row.project, row.genie, row.model
            usage = found.setdefault(key, {})
            for name in SPENT:
                usage[name] = usage.get(name, 0) + int(getattr(row, name))
    return [
        Spent(*key, usage={name: count for name, count in found[key].items() if count})
        for key in sorted(found, key=lambda key: (*key[:3], key[3] or ""))
    ]


def _of_whole_tasks(since: float, *, by_day: bool) -> _Used:
    return sa.select(
        tasks.c.job_id,
        tasks.c.genie,
        tasks.c.model,
        tasks.c.usage,
        _day_if(by_day, tasks.c.ended_at),
    ).where(tasks.c.ended_at >= since, _is_whole(since, by_day=by_day))


def _of_calls(since: float, *, by_day: bool) -> Iterator[_Used]:
    """Of the calls of tasks that have ended and are not whole; and of those under way, whose jobs
    are running, or have changed since the call."""
    in_part = sa.not_(_is_whole(since, by_day=by_day))
    ended = sa.select(*_PLACE).where(tasks.c.ended_at >= since, in_part)
    open_job = jobs.c.ended_at.is_(None)
    at_work = sa.union(
        sa.select(jobs.c.id).where(jobs.c.status == "running", open_job),
        sa.select(jobs.c.id).where(jobs.c.changed_at >= since, open_job),
    )
    under_way = sa.select(*_PLACE).where(tasks.c.job_id.in_(at_work), tasks.c.ended_at.is_(None))
    for each in (ended, under_way):
        of = each.cte("of").prefix_with("MATERIALIZED")  # so that Postgres begins with them
        of_task = sa.and_(
            entries.c.conversation_id == of.c.conversation_id,
            entries.c.seq > of.c.history_until,
            entries.c.task_id == of.c.id,
        )
        yield (
            sa.select(
                of.c.job_id,
                of.c.genie,
                _MODEL.label("model"),
                entries.c.body["usage"].label("usage"),
                _day_if(by_day, entries.c.at),
            )
            .join(entries, of_task)
            .where(entries.c.at >= since, entries.c.kind.in_(_WITH_USAGE))
        )


def _is_whole(since: float, *, by_day: bool) -> sa.ColumnElement[bool]:
    """That all that a task which has ended since then has used is of that time, of one day if that
    matters, and of one model."""
    whole = sa.and_(tasks.c.model.is_not(None), tasks.c.created_at >= since)
    same_day = _day(tasks.c.created_at) == _day(tasks.c.ended_at)
    return sa.and_(whole, same_day) if by_day else whole


def _summed(of_tasks: _Used, project: str | None) -> sa.Select[Any]:
    """Usages, added up by day, project, genie and model; of a project alone, if it is named."""
    # So that a body, which may be long, is read once, and not for each figure.
    found = of_tasks.cte("found").prefix_with("MATERIALIZED")
    shown = (found.c.day, jobs.c.project, found.c.genie, found.c.model)
    counted = (
        sa.func.coalesce(
            sa.func.sum(sa.cast(found.c.usage[name].as_string(), sa.BigInteger)), 0
        ).label(name)
        for name in SPENT
    )
    query = sa.select(*shown, *counted).join(jobs, jobs.c.id == found.c.job_id)
    return query.where(is_wanted(jobs.c.project, project)).group_by(*shown)


def _day_if(by_day: bool, at: sa.Column[float]) -> sa.ColumnElement[Any]:
    return (_day(at) if by_day else sa.cast(sa.null(), sa.Float)).label("day")


def _day(at: sa.Column[float]) -> sa.ColumnElement[Any]:
    return sa.func.floor(at / _DAY)


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
