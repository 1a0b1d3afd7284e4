"""What `insights` reads: lists in pages, and all that belongs to a few jobs in one query each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from lampwork.errors import ConversationNotFound, JobNotFound, TaskNotFound
from lampwork.store.lists.conversation_filter import ConversationFilter
from lampwork.store.lists.job_filter import JobFilter
from lampwork.store.lists.newest import Found, newest, no_cursor
from lampwork.store.schema import (
    api_keys,
    calls,
    conversations,
    entries,
    executors,
    inbox,
    jobs,
    logs,
    roles,
    tasks,
    triggers,
    waits,
)
from lampwork.store.schema.base import Apart
from lampwork.types import ENDED, ROUNDS, task_id

Row = sa.Row[Any]


def answers(connection: sa.Connection) -> None:
    """Whether the database does."""
    connection.execute(sa.select(1))


_IN_A_LIST = [
    jobs.c[name]
    for name in (
        "id",
        "project",
        "callable",
        "version",
        "want",
        "status",
        "attention",
        "executor",
        "parent_id",
        "parent_call",
        "position",
        "detached",
        "root_id",
        "copy_of",
        "copied_as",
        "created_at",
        "started_at",
        "changed_at",
        "ended_at",
        "erased_at",
    )
]
"""A job without what may be large: its input, outcome and traceback."""

_IN_A_TREE = (
    jobs.c.created_at,
    sa.func.coalesce(jobs.c.parent_call, 0),
    sa.func.coalesce(jobs.c.position, 0),
    jobs.c.id,
)
"""The order of the jobs below one root."""


def page_of_jobs(
    connection: sa.Connection,
    *,
    project: str | None,
    wanted: JobFilter,
    after: str | None,
    limit: int,
    examined: int | None,
) -> Found:
    """The jobs that are wanted, the newest first; `after` is a job's id, and for `examined` see
    `newest`. Without a wish, the newest tree first, and each tree from its root down.

    Raises InputInvalid when there is no such job to go on after.
    """
    if wanted.is_of_trees:
        rows = _trees(connection, project, wanted, after, limit + 1)
        return Found(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)
    found_by, looked_at = wanted.conditions(connection, project)
    return newest(
        connection,
        jobs,
        _IN_A_LIST,
        project=project,
        found_by=found_by,
        looked_at=looked_at,
        after=after,
        limit=limit,
        examined=examined,
    )


def _trees(
    connection: sa.Connection,
    project: str | None,
    wanted: JobFilter,
    after: str | None,
    limit: int,
) -> Sequence[Row]:
    query = sa.select(*_IN_A_LIST).order_by(jobs.c.root_id.desc(), *_IN_A_TREE).limit(limit)
    query = query.where(*wanted.in_trees())
    if project is not None:
        query = query.where(Apart(jobs.c.project) == project)
    if after is not None:
        last = connection.execute(
            sa.select(jobs.c.root_id, *_IN_A_TREE).where(
                jobs.c.id == after, is_wanted(jobs.c.project, project)
            )
        ).first()
        if last is None:
            raise no_cursor(after)
        root, *place = last
        below = sa.tuple_(*_IN_A_TREE) > sa.tuple_(*(sa.literal(each) for each in place))
        further = sa.or_(jobs.c.root_id < root, sa.and_(jobs.c.root_id == root, below))
        query = query.where(jobs.c.root_id <= root, further)
    return connection.execute(query).all()


def job(connection: sa.Connection, job_id: str) -> Row:
    """All of one job. Raises JobNotFound."""
    row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).first()
    if row is None:
        raise JobNotFound(f"There is no job {job_id}. `lampwork jobs` lists them.")
    return row


def outcomes(connection: sa.Connection, job_ids: Sequence[str]) -> dict[str, str]:
    """The envelopes of those of these jobs that have ended."""
    found = connection.execute(
        sa.select(jobs.c.id, jobs.c.outcome).where(
            jobs.c.id.in_(job_ids), jobs.c.outcome.is_not(None)
        )
    )
    return dict(found.all())


def open_waits(connection: sa.Connection, job_ids: Sequence[str]) -> Sequence[Row]:
    """What these jobs wait for."""
    return connection.execute(
        sa.select(waits)
        .where(waits.c.job_id.in_(job_ids), waits.c.answered.is_(False))
        .order_by(waits.c.opened_at, waits.c.call, waits.c.id)
    ).all()


def words_not_taken(connection: sa.Connection, job_ids: Sequence[str]) -> Sequence[Row]:
    """What people have said of effects of these jobs since anything was done about the job."""
    return connection.execute(
        sa.select(waits, inbox.c.value, inbox.c.source, inbox.c.at)
        .join(inbox, inbox.c.wait_id == waits.c.id)
        .join(jobs, jobs.c.id == waits.c.job_id)
        .where(
            waits.c.job_id.in_(job_ids),
            waits.c.kind == "resolution",
            inbox.c.kind == "answer",
            inbox.c.at >= jobs.c.changed_at,
        )
        .order_by(inbox.c.id)
    ).all()


def project_of_job(connection: sa.Connection, job_id: str) -> str | None:
    """The project of a job, if there is one."""
    return connection.execute(sa.select(jobs.c.project).where(jobs.c.id == job_id)).scalar()


def project_of_task(connection: sa.Connection, task_id: str) -> str | None:
    """The project of a task, if there is one."""
    of_job = sa.select(jobs.c.project).join(tasks, tasks.c.job_id == jobs.c.id)
    return connection.execute(of_job.where(tasks.c.id == task_id)).scalar()


def project_of_conversation(connection: sa.Connection, conversation_id: str) -> str | None:
    """The project of a conversation, if there is one."""
    query = sa.select(conversations.c.project).where(conversations.c.id == conversation_id)
    return connection.execute(query).scalar()


@dataclass(frozen=True, slots=True)
class Place:
    """What an id is of, and where that belongs."""

    kind: Literal["job", "task", "conversation", "wait"]
    job_id: str | None
    conversation_id: str | None = None


def place_of(connection: sa.Connection, id: str) -> Place | None:
    """What an id is of, if there is such a thing."""
    if connection.execute(sa.select(jobs.c.id).where(jobs.c.id == id)).first() is not None:
        return Place("job", id)
    in_one = sa.select(tasks.c.job_id, tasks.c.conversation_id).limit(1)
    if connection.execute(sa.select(conversations.c.id).where(conversations.c.id == id)).first():
        task = connection.execute(in_one.where(tasks.c.conversation_id == id)).first()
        return Place("conversation", None if task is None else task.job_id, id)
    task = connection.execute(in_one.where(tasks.c.id == id)).first()
    if task is not None:
        return Place("task", task.job_id, task.conversation_id)
    found = wait(connection, id)
    return None if found is None else Place("wait", found.job_id)


_NEWEST = 1000


def newest_ids(connection: sa.Connection, of: Literal["jobs", "conversations"]) -> Sequence[str]:
    """The ids of the newest jobs or conversations."""
    table = {"jobs": jobs, "conversations": conversations}[of]
    newest = sa.select(table.c.id).order_by(table.c.id.desc()).limit(_NEWEST)
    return connection.execute(newest).scalars().all()


def wait(connection: sa.Connection, wait_id: str) -> Row | None:
    """One wait, answered or not."""
    return connection.execute(sa.select(waits).where(waits.c.id == wait_id)).first()


def tasks_of(connection: sa.Connection, job_ids: Sequence[str]) -> Sequence[Row]:
    """The tasks that these jobs have assigned."""
    return connection.execute(
        sa.select(tasks).where(tasks.c.job_id.in_(job_ids)).order_by(tasks.c.job_id, tasks.c.call)
    ).all()


def task(connection: sa.Connection, task_id: str) -> Row:
    """One task. Raises TaskNotFound."""
    row = connection.execute(sa.select(tasks).where(tasks.c.id == task_id)).first()
    if row is None:
        raise TaskNotFound(f"There is no task {task_id}.")
    return row


def begun_calls(connection: sa.Connection, job_ids: Sequence[str]) -> Sequence[Row]:
    """The calls of these jobs that were written down when they began."""
    return connection.execute(sa.select(calls).where(calls.c.job_id.in_(job_ids))).all()


def leads(connection: sa.Connection, rows: Iterable[Row]) -> dict[str, str]:
    """By job, the orchestrator whose plan it carries out, of those among these jobs that do."""
    of = {
        row.id: task_id(row.parent_id, row.parent_call)
        for row in rows
        if row.callable.startswith(ROUNDS)
    }
    if not of:
        return {}
    query = sa.select(tasks.c.id, tasks.c.genie).where(tasks.c.id.in_(of.values()))
    genies = {row.id: row.genie for row in connection.execute(query)}
    return {job: genies[task] for job, task in of.items() if task in genies}


def copies(connection: sa.Connection, job_id: str) -> Sequence[Row]:
    """The copies of a job, the oldest first."""
    return connection.execute(
        sa.select(*_IN_A_LIST).where(jobs.c.copy_of == job_id).order_by(jobs.c.created_at)
    ).all()


def children(
    connection: sa.Connection, parent_ids: Sequence[str], *, each: int, unfinished: bool
) -> Sequence[Row]:
    """Jobs that these jobs have started, of each call the first `each`.

    First those that a person should look at, then unfinished ones, then the rest.
    """
    over = jobs.c.ended_at.is_not(None)
    rank = sa.case((jobs.c.status == "needs_attention", 0), (jobs.c.status == "failed", 1), else_=2)
    position = sa.func.coalesce(jobs.c.position, 0)
    place = sa.func.row_number().over(
        partition_by=(jobs.c.parent_id, jobs.c.parent_call),
        order_by=(rank, over, position, jobs.c.id),
    )
    found = sa.select(*_IN_A_LIST, rank.label("rank"), place.label("place")).where(
        jobs.c.parent_id.in_(parent_ids)
    )
    if unfinished:
        found = found.where(~over, jobs.c.detached.is_(False))
    first = found.subquery()
    return connection.execute(
        sa.select(first)
        .where(first.c.place <= each)
        .order_by(
            first.c.parent_call,
            first.c.rank,
            sa.func.coalesce(first.c.position, 0),
            first.c.id,
        )
    ).all()


def counts_of_children(
    connection: sa.Connection, parent_ids: Sequence[str]
) -> dict[tuple[str, int], tuple[int, int, int]]:
    """By parent and its call: how many jobs it started, how many of them ended, how many failed."""
    found = connection.execute(
        sa.select(
            jobs.c.parent_id,
            jobs.c.parent_call,
            sa.func.count(),
            sa.func.sum(sa.case((jobs.c.status.in_(ENDED), 1), else_=0)),
            sa.func.sum(sa.case((jobs.c.status == "failed", 1), else_=0)),
        )
        .where(jobs.c.parent_id.in_(parent_ids))
        .group_by(jobs.c.parent_id, jobs.c.parent_call)
    )
    return {(parent, call): (total, ended, failed) for parent, call, total, ended, failed in found}


def log_lines(connection: sa.Connection, job_id: str) -> Sequence[Row]:
    """What the recipe has logged."""
    return connection.execute(
        sa.select(logs).where(logs.c.job_id == job_id).order_by(logs.c.number)
    ).all()


def has_several_projects(connection: sa.Connection) -> bool:
    """Whether jobs of more than one project are here."""
    first, last = (
        sa.select(each(jobs.c.project)).scalar_subquery() for each in (sa.func.min, sa.func.max)
    )
    return bool(connection.execute(sa.select(first != last)).scalar())


def projects(connection: sa.Connection) -> set[str]:
    """Those that had a job, a trigger or a process here."""
    named = sa.union(sa.select(triggers.c.project), sa.select(executors.c.project))
    found = set(connection.execute(named).scalars())
    after = sa.select(sa.func.min(jobs.c.project)).where(jobs.c.project > sa.bindparam("name"))
    name = ""
    while (name := connection.execute(after, {"name": name}).scalar()) is not None:
        found.add(name)  # one look into an index each, and not one at each job
    return found


def has_people(connection: sa.Connection, project: str) -> bool:
    """Whether somebody has a role in a project, or a key for it."""
    named = sa.union_all(sa.select(roles.c.project), sa.select(api_keys.c.project)).subquery()
    found = sa.select(named).where(named.c.project == project).limit(1)
    return connection.execute(found).first() is not None


def unfinished_of_others(connection: sa.Connection, project: str) -> dict[str, int]:
    """How many jobs of each other project have not ended."""
    found = connection.execute(
        sa.select(jobs.c.project, sa.func.count())
        .where(jobs.c.status.not_in(ENDED), jobs.c.project != project)
        .group_by(jobs.c.project)
        .order_by(jobs.c.project)
    )
    return dict(found.all())


# --- conversations ---


def page_of_conversations(
    connection: sa.Connection,
    *,
    project: str | None,
    wanted: ConversationFilter,
    after: str | None,
    limit: int,
    examined: int | None,
) -> Found:
    """The conversations that are wanted, the newest first; `after` is a conversation's id, and for
    `examined` see `newest`.

    Raises InputInvalid when there is no such conversation to go on after.
    """
    found_by, looked_at = wanted.conditions(connection, project)
    return newest(
        connection,
        conversations,
        list(conversations.c),
        project=project,
        found_by=found_by,
        looked_at=looked_at,
        after=after,
        limit=limit,
        examined=examined,
    )


def conversation(connection: sa.Connection, conversation_id: str) -> Row:
    """One conversation. Raises ConversationNotFound."""
    row = connection.execute(
        sa.select(conversations).where(conversations.c.id == conversation_id)
    ).first()
    if row is None:
        raise ConversationNotFound(
            f"There is no conversation {conversation_id}. `lampwork conversations` lists them."
        )
    return row


def tasks_in(connection: sa.Connection, conversation_ids: Sequence[str]) -> Sequence[Row]:
    """The tasks of these conversations, the oldest first."""
    return connection.execute(
        sa.select(tasks)
        .where(tasks.c.conversation_id.in_(conversation_ids))
        .order_by(tasks.c.created_at, tasks.c.history_until, tasks.c.id)
    ).all()


def activity(
    connection: sa.Connection, conversation_ids: Sequence[str]
) -> dict[str, tuple[int, int, float]]:
    """Of each conversation: responses of the model, skill calls that could act, the last time."""
    found = connection.execute(
        sa.select(
            entries.c.conversation_id,
            sa.func.sum(sa.case((entries.c.kind == "said", 1), else_=0)),
            sa.func.sum(sa.case((entries.c.kind == "intent", 1), else_=0)),
            sa.func.max(entries.c.at),
        )
        .where(entries.c.conversation_id.in_(conversation_ids))
        .group_by(entries.c.conversation_id)
    )
    return {each: (said, acted, at) for each, said, acted, at in found}


def entries_of(connection: sa.Connection, conversation_id: str) -> Sequence[Row]:
    """All entries of a conversation."""
    return connection.execute(
        sa.select(entries)
        .where(entries.c.conversation_id == conversation_id)
        .order_by(entries.c.seq)
    ).all()


def entries_after(
    connection: sa.Connection, conversation_id: str, after: int, limit: int
) -> Sequence[Row]:
    """The entries of a conversation that follow one, in their order."""
    return connection.execute(
        sa.select(entries)
        .where(entries.c.conversation_id == conversation_id, entries.c.seq > after)
        .order_by(entries.c.seq)
        .limit(limit)
    ).all()


def entries_between(
    connection: sa.Connection, conversation_id: str, first: int, last: int, kinds: Sequence[str]
) -> Sequence[Row]:
    """The entries of these kinds from one up to another, in their order."""
    return connection.execute(
        sa.select(entries)
        .where(
            entries.c.conversation_id == conversation_id,
            entries.c.seq.between(first, last),
            entries.c.kind.in_(kinds),
        )
        .order_by(entries.c.seq)
    ).all()


def entries_of_task(connection: sa.Connection, task: Row, *, newest: int) -> Sequence[Row]:
    """The newest entries of one task, in their order."""
    found = connection.execute(
        sa.select(entries)
        .where(
            entries.c.conversation_id == task.conversation_id,
            entries.c.seq > task.history_until,
            entries.c.task_id == task.id,
        )
        .order_by(entries.c.seq.desc())
        .limit(newest)
    ).all()
    return found[::-1]


def is_wanted(column: sa.ColumnElement[str], wanted: str | None) -> sa.ColumnElement[bool]:
    """That a column has a value, if one is wanted."""
    return sa.true() if wanted is None else column == wanted
