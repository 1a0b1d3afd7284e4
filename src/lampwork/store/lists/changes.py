"""What has changed lately, for those who show it: which jobs, and at which number others are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import sqlalchemy as sa

from lampwork.store.schema import calls, conversations, jobs, tasks, waits
from lampwork.store.schema.base import Apart

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


def orchestrations_at(connection: sa.Connection, task_ids: Collection[str]) -> dict[str, int]:
    """Of each of these orchestrations a number, which grows with all that its ledger shows."""
    rounds = connection.execute(
        sa.select(jobs.c.id, jobs.c.task_id, jobs.c.changed_at)
        .join(tasks, (tasks.c.job_id == jobs.c.parent_id) & (tasks.c.id == jobs.c.task_id))
        .where(tasks.c.id.in_(task_ids))
    ).all()
    of_round = {row.id: row.task_id for row in rounds}
    found = Counter[str](row.task_id for row in rounds)
    ended = sa.select(tasks.c.id).where(tasks.c.id.in_(task_ids), tasks.c.ended_at.is_not(None))
    found.update(connection.execute(ended).scalars())
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
            found[of_round[job_id]] += count
    for task_id in found:
        changed = [row.changed_at for row in rounds if row.task_id == task_id]
        found[task_id] += int(max(changed, default=0) * 1_000_000)
    return found
