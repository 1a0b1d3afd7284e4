"""Jobs that are meant to be cancelled, and what they leave open. Each runs in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import JobEnded, has_ended
from lampwork.store.jobs.jobs import get
from lampwork.store.processes import news
from lampwork.store.processes.share import Share
from lampwork.store.schema import entries, inbox, jobs, tasks, waits
from lampwork.store.tasks.conversations import key_of
from lampwork.types import ENDED, Json


def want_cancelled(connection: sa.Connection, job_id: str) -> list[str]:
    """Mark a job and all below it but detached ones as cancelled; returns those that had not ended.

    Raises JobNotFound, JobEnded.
    """
    row = get(connection, job_id)
    if row.status in ENDED:
        raise JobEnded(
            f"Job {job_id} {has_ended(row.status)}; there is nothing to cancel.",
            job_status=row.status,
        )
    return want_all_cancelled(connection, [job_id])


def want_all_cancelled(connection: sa.Connection, job_ids: Sequence[str]) -> list[str]:
    """Mark jobs and all below them but detached ones; returns those that had not ended."""
    tree = sa.select(jobs.c.id).where(jobs.c.id.in_(job_ids)).cte("tree", recursive=True)
    below = sa.select(jobs.c.id).join(tree, jobs.c.parent_id == tree.c.id)
    tree = tree.union_all(below.where(jobs.c.detached.is_(False)))
    unended = connection.execute(
        sa.update(jobs)
        .where(jobs.c.id.in_(sa.select(tree.c.id)), jobs.c.status.not_in(ENDED))
        .values(want="cancelled", changed_at=clock.now())
        .returning(jobs.c.id)
    )
    found = list(unended.scalars())
    if found:
        news.tell(connection, "cancelled", *found)
    return found


def is_to_cancel(connection: sa.Connection, job_id: str, share: Share) -> bool:
    """Whether a job is meant to be cancelled, goes on, and is this process's to end."""
    row = get(connection, job_id)
    going_on = row.want == "cancelled" and row.status not in ENDED
    return going_on and share.has_charge(connection, row)


def to_cancel(connection: sa.Connection, share: Share) -> list[str]:
    """Jobs of a share that are meant to be cancelled and go on; on whatever code."""
    query = sa.select(jobs.c.id).where(
        jobs.c.want == "cancelled", jobs.c.status.not_in(ENDED), share.on_any_code()
    )
    return list(connection.execute(query).scalars())


def right_below(connection: sa.Connection, job_id: str) -> list[str]:
    """The jobs right below one that are being cancelled with it."""
    query = sa.select(jobs.c.id).where(
        jobs.c.parent_id == job_id,
        jobs.c.detached.is_(False),
        jobs.c.want == "cancelled",
        jobs.c.status.not_in(ENDED),
    )
    return list(connection.execute(query).scalars())


def is_spread(connection: sa.Connection, job_id: str, share: Share) -> bool:
    """Whether any job below one that is being cancelled with it is another process's to end."""
    elsewhere = sa.select(jobs.c.id).where(
        jobs.c.id.in_(_cancelled_with(job_id)),
        jobs.c.id != job_id,
        jobs.c.status.not_in(ENDED),
        sa.not_(share.in_charge()),
    )
    return connection.execute(elsewhere.limit(1)).first() is not None


def effects(connection: sa.Connection, job_id: str) -> list[dict[str, Json]]:
    """Those of a cancelled job and of all that were cancelled with it, each with its key.

    A skill call that may have acted and has no result; a step whose outcome a person was asked.
    """
    ids = _cancelled_with(job_id)
    words = _words(connection, ids)
    found = [*_of_tasks(connection, ids), *_of_steps(connection, ids)]
    return [each | ({"said": words[each["key"]]} if each["key"] in words else {}) for each in found]


def _cancelled_with(job_id: str) -> sa.Select[tuple[str]]:
    """A job, and all that is below it and being cancelled with it."""
    tree = sa.select(jobs.c.id).where(jobs.c.id == job_id).cte("tree", recursive=True)
    below = sa.select(jobs.c.id).join(tree, jobs.c.parent_id == tree.c.id)
    tree = tree.union_all(below.where(jobs.c.detached.is_(False), jobs.c.want == "cancelled"))
    return sa.select(tree.c.id)


def _words(connection: sa.Connection, job_ids: sa.Select[tuple[str]]) -> dict[str, Json]:
    """By the keys of effects, what a person has said of each, if nothing has taken that up.

    A word that was taken up is of an earlier attempt and says nothing about the last one.
    """
    taken_up = sa.exists().where(
        tasks.c.id == waits.c.task_id,
        entries.c.conversation_id == tasks.c.conversation_id,
        entries.c.task_id == tasks.c.id,
        entries.c.kind == "resolved",
        entries.c.at >= inbox.c.at,
    )
    asked = connection.execute(
        sa.select(waits.c.subject, inbox.c.value, inbox.c.source, taken_up.label("taken_up"))
        .outerjoin(inbox, sa.and_(inbox.c.wait_id == waits.c.id, inbox.c.kind == "answer"))
        .where(waits.c.job_id.in_(job_ids), waits.c.kind == "resolution")
        .order_by(waits.c.opened_at)
    )
    last = {row.subject["key"]: row for row in asked}
    return {
        key: {
            "by": row.source,
            "resolution": row.value["resolution"],
            "reason": row.value.get("reason", ""),
        }
        for key, row in last.items()
        if row.source is not None and not row.taken_up
    }


def _of_tasks(connection: sa.Connection, job_ids: sa.Select[tuple[str]]) -> list[dict[str, Json]]:
    result = entries.alias()
    has_result = sa.exists().where(
        result.c.conversation_id == entries.c.conversation_id,
        result.c.task_id == entries.c.task_id,
        result.c.kind == "result",
        result.c.body["call"].as_string() == entries.c.body["call"].as_string(),
    )
    found = connection.execute(
        sa.select(entries.c.task_id, entries.c.body)
        .join(
            tasks,
            sa.and_(
                tasks.c.conversation_id == entries.c.conversation_id,
                tasks.c.id == entries.c.task_id,
            ),
        )
        .where(tasks.c.job_id.in_(job_ids), entries.c.kind == "intent", ~has_result)
        .order_by(tasks.c.depth, entries.c.task_id, entries.c.seq)
    )
    # What only reads has no effect, and a recipe's are those of its own job.
    return [
        {
            "task": row.task_id,
            "skill": row.body["skill"],
            "arguments": row.body["arguments"],
            "key": key_of(row.task_id, row.body),
        }
        for row in found
        if row.body["effect"] != "read" and "child" not in row.body
    ]


def _of_steps(connection: sa.Connection, job_ids: sa.Select[tuple[str]]) -> list[dict[str, Json]]:
    found = connection.execute(
        sa.select(waits.c.job_id, waits.c.subject).where(
            waits.c.job_id.in_(job_ids),
            waits.c.kind == "resolution",
            waits.c.task_id.is_(None),
            waits.c.answered.is_(False),
        )
    )
    return [
        {"job": row.job_id, "step": row.subject["step"], "key": row.subject["key"]} for row in found
    ]
