"""What has changed lately, for those who show it: which jobs, and at which number others are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from lampwork.store.schema import calls, conversations, jobs, tasks, waits
from lampwork.store.schema.base import Apart
from lampwork.store.tasks import orchestrations

_AT_MOST = 20_000


def jobs_since(connection: sa.Connection, moment: float, project: str) -> dict[str, float]:
    """The jobs that were changed after a moment, and when; of very many, the last ones."""
    found = connection.execute(
        sa.select(jobs.c.id, jobs.c.changed_at)
        .where(jobs.c.changed_at > moment, Apart(jobs.c.project) == project)
        .order_by(jobs.c.changed_at.desc())
        .limit(_AT_MOST)
    )
    return {row.id: row.changed_at for row in found}


def last_entries(connection: sa.Connection, conversation_ids: Collection[str]) -> dict[str, int]:
    """The number of the last entry of each of these conversations."""
    last = sa.select(conversations.c.id, conversations.c.last_seq)
    found = connection.execute(last.where(conversations.c.id.in_(conversation_ids)))
    return {row.id: row.last_seq for row in found}


def orchestrations_at(connection: sa.Connection, ids: Collection[str]) -> dict[str, int]:
    """Of each of these orchestrations a number, which grows with all that its ledger shows.

    Each is named by its task or a round of it, or by its job, which stands for all that it has.
    """
    meant = orchestrations.meant(connection, ids)
    at = _at(connection, {each for tasks_meant in meant.values() for each in tasks_meant})
    found: dict[str, int] = {}
    for id, tasks_meant in meant.items():
        those = [at[each] for each in tasks_meant if each in at]
        if those:
            changed = max(each.changed_at for each in those)
            found[id] = sum(each.count for each in those) + int(changed * 1_000_000)
    return found


@dataclass(slots=True)
class _At:
    """How far an orchestration has got."""

    changed_at: float
    """When its job was changed, or one below it."""
    count: int = 0
    """Of what there is and what has ended in its rounds."""


def _at(connection: sa.Connection, task_ids: Collection[str]) -> dict[str, _At]:
    """By task, how far each of these orchestrations has got."""
    own = jobs.alias("own")
    changed = (
        sa.select(tasks.c.id, own.c.changed_at, tasks.c.ended_at, sa.func.max(jobs.c.changed_at))
        .join(own, own.c.id == tasks.c.job_id)
        .join(jobs, orchestrations.is_below)
        .where(tasks.c.id.in_(task_ids))
        .group_by(tasks.c.id, own.c.changed_at, tasks.c.ended_at)
    )
    found = {
        id: _At(max(of_job, of_those_below), count=int(ended is not None))
        for id, of_job, ended, of_those_below in connection.execute(changed)
    }
    rounds = connection.execute(
        sa.select(jobs.c.id, jobs.c.task_id)
        .join(tasks, (tasks.c.job_id == jobs.c.parent_id) & (tasks.c.id == jobs.c.task_id))
        .where(tasks.c.id.in_(found))
    ).all()
    of_round = {row.id: row.task_id for row in rounds}
    for task_id in of_round.values():
        found[task_id].count += 1
    counts = (
        sa.select(calls.c.job_id, sa.func.count() + sa.func.count(calls.c.envelope))
        .where(calls.c.job_id.in_(of_round))
        .group_by(calls.c.job_id),
        sa.select(
            waits.c.job_id, sa.func.count() + sa.func.sum(sa.cast(waits.c.answered, sa.Integer))
        )
        .where(waits.c.job_id.in_(of_round))
        .group_by(waits.c.job_id),
    )
    for query in counts:
        for job_id, count in connection.execute(query):
            found[of_round[job_id]].count += count
    return found
