"""Copies of jobs: what an original has done, and the rows of a copy that keeps a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from lampwork.errors import CopyRefused
from lampwork.store import blobs
from lampwork.store.jobs import calls, jobs, new_jobs
from lampwork.store.jobs.calls import Finished
from lampwork.store.schema import calls as begun_calls
from lampwork.store.schema import ends, entries, inbox, tasks, waits
from lampwork.store.schema import jobs as jobs_table
from lampwork.types import ENDED, CopyKind, Effect

Row = Any
"""A row of some of a table's columns."""

_RUNNING = ("queued", "running")

_children_of = (
    sa.select(
        jobs_table.c.parent_call.label("call"),
        sa.func.count().label("total"),
        sa.func.sum(sa.case((jobs_table.c.status == "succeeded", 1), else_=0)).label("succeeded"),
    )
    .where(jobs_table.c.parent_id == sa.bindparam("job"))
    .group_by(jobs_table.c.parent_call)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillCallDone:
    """A skill call of a task, and what came of it."""

    job_id: str
    call: int
    skill: str
    effect: Effect
    came_of: Literal["happened", "failed", "unknown", "nothing"]
    """`nothing` if it said that nothing happened, `unknown` if it has no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A job as one who makes a copy of it must know it."""

    row: Row
    outcome: str | None
    """The envelope."""
    begun: Sequence[Row]
    """Its calls that were written down, begun or finished, and those of the jobs below."""
    copies: Sequence[Row]
    """The copies that were made of it before."""
    below: Sequence[Row]
    """The first of the jobs below it, with the number of its call that led there as `top_call`."""
    children: Sequence[Row]
    """By `call`: how many jobs it started itself, `total`, and how many of them `succeeded`."""
    ends: Sequence[Row]
    """What runs after its end."""
    skill_calls: Sequence[SkillCallDone]
    """Its own, and those of the jobs below."""
    messages: Sequence[Row]
    """The events that it has got: the `id` of each, and the `call` that took it, if one has."""


def original(connection: sa.Connection, job_id: str, kind: CopyKind, *, at_most: int) -> Original:
    """All about a job of which a copy is to be made, with `at_most` jobs below it.

    Raises JobNotFound, JobErased, CopyRefused.
    """
    row = jobs.get(connection, job_id)
    _check(row, kind)
    below = _below(connection, job_id, at_most)
    ids = [job_id, *(each.id for each in below)]
    return Original(
        row=row,
        outcome=None if row.outcome is None else blobs.unfold(connection, row.outcome),
        begun=connection.execute(sa.select(begun_calls).where(begun_calls.c.job_id.in_(ids))).all(),
        copies=connection.execute(
            sa.select(jobs_table.c.id, jobs_table.c.copied_as, jobs_table.c.status)
            .where(jobs_table.c.copy_of == job_id)
            .order_by(jobs_table.c.created_at)
        ).all(),
        below=below,
        children=connection.execute(_children_of, {"job": job_id}).all(),
        ends=connection.execute(
            sa.select(ends).where(ends.c.job_id == job_id).order_by(ends.c.number)
        ).all(),
        skill_calls=_skill_calls(connection, ids),
        messages=connection.execute(
            sa.select(inbox.c.id, waits.c.call)
            .outerjoin(waits, waits.c.id == inbox.c.wait_id)
            .where(inbox.c.topic.startswith(f"{job_id}:", autoescape=True))
            .order_by(inbox.c.id)
        ).all(),
    )


def _check(row: Row, kind: CopyKind) -> None:
    """Whether such a copy of the job may be made now. Raises CopyRefused, JobErased."""
    jobs.require_not_erased(row)
    why: str | None = None
    if row.parent_id is not None:
        why = f"it is a part of job {row.root_id}. Copy that one: lampwork job {row.root_id} {kind}"
    elif row.want == "cancelled" and row.status not in ENDED:
        why = "it is being cancelled. Wait until it has ended."
    elif row.status in _RUNNING:
        why = f"it is {row.status}, so nobody can say what would happen again. Wait until it ends "
        why += "or waits, or cancel it."
    elif kind == "retry" and row.status == "succeeded":
        why = "it has succeeded. To do it all again: rerun; to go on from one of its calls: fork."
    elif kind == "retry" and row.status == "needs_attention" and row.want == "attention":
        why = "it has not failed. Mend its code, then let it go on: "
        why += f"lampwork job {row.id} go-on"
    elif kind == "retry" and row.status not in ENDED:
        why = "it has not ended. Answer what it waits for, or cancel it first."
    if why is not None:
        raise CopyRefused(f"There can be no {kind} of job {row.id}: {why}", root=row.root_id)


def _below(connection: sa.Connection, job_id: str, at_most: int) -> Sequence[Row]:
    columns = ("id", "callable", "status", "position")
    wanted = [jobs_table.c[name] for name in columns]
    tree = (
        sa.select(*wanted, jobs_table.c.parent_call.label("top_call"))
        .where(jobs_table.c.parent_id == job_id)
        .cte("below", recursive=True)
    )
    tree = tree.union_all(
        sa.select(*wanted, tree.c.top_call).join(tree, jobs_table.c.parent_id == tree.c.id)
    )
    return connection.execute(sa.select(tree).limit(at_most)).all()


def _skill_calls(connection: sa.Connection, job_ids: Sequence[str]) -> list[SkillCallDone]:
    body = entries.c.body
    rows = connection.execute(
        sa.select(
            tasks.c.id,
            tasks.c.job_id,
            tasks.c.call,
            entries.c.kind,
            body["call"].as_string().label("label"),
            body["skill"].as_string().label("skill"),
            body["effect"].as_string().label("effect"),
            body["child"].as_string().label("child"),
            body["status"].as_string().label("status"),
            body[("error", "type")].as_string().label("error"),
        )
        .join(
            entries,
            sa.and_(
                entries.c.conversation_id == tasks.c.conversation_id,
                entries.c.seq > tasks.c.history_until,
                entries.c.task_id == tasks.c.id,
            ),
        )
        .where(tasks.c.job_id.in_(job_ids), entries.c.kind.in_(("intent", "result")))
    ).all()
    results = {(row.id, row.label): row for row in rows if row.kind == "result"}
    return [
        SkillCallDone(
            job_id=row.job_id,
            call=row.call,
            skill=row.skill,
            effect=row.effect,
            came_of=_came_of(results.get((row.id, row.label))),
        )
        for row in rows
        # What a recipe among the skills did is on record of its job.
        if row.kind == "intent" and row.child is None
    ]


def _came_of(result: Row | None) -> Literal["happened", "failed", "unknown", "nothing"]:
    if result is None:
        return "unknown"
    if result.status == "ok" or result.error == "ResultNotRecordable":
        return "happened"
    return "nothing" if result.error == "NotDone" else "failed"


# --- a copy ---


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCopy:
    """A copy about to be made."""

    id: str
    of: str
    kind: CopyKind
    at: int | None
    """Of a fork: the call from which on it is done anew."""
    kept: Sequence[Finished]
    messages: Sequence[int]
    """The inbox rows of events that go along."""


def create(connection: sa.Connection, new: NewCopy) -> None:
    """Accept a copy with all that it keeps. Raises JobNotFound, CopyRefused."""
    row = jobs.get(connection, new.of)
    _check(row, new.kind)
    job = new_jobs.NewJob(
        id=new.id,
        project=row.project,
        callable=row.callable,
        version=row.version,
        input=row.input,
        # When its own original was triggered: a recipe may have decided by that.
        trigger={"at": row.created_at} | row.trigger,
        root_id=new.id,
        restoration=row.restoration,
    )
    new_jobs.create(connection, [job])
    connection.execute(
        sa.update(jobs_table)
        .where(jobs_table.c.id == new.id)
        .values(copy_of=new.of, copied_as=new.kind, copied_at=new.at)
    )
    calls.keep(connection, new.id, new.of, new.kept)
    blobs.own_as(connection, new.id, [new.of])
    _send_along(connection, new)


def _send_along(connection: sa.Connection, new: NewCopy) -> None:
    """Events that the original has got and not used are there for the copy, in their order."""
    found = connection.execute(
        sa.select(inbox).where(inbox.c.id.in_(new.messages)).order_by(inbox.c.id)
    )
    rows = [
        {
            "topic": new.id + row.topic.removeprefix(new.of),
            "kind": row.kind,
            "value": row.value,
            "source": row.source,
            "at": row.at,
        }
        for row in found
    ]
    if rows:
        connection.execute(sa.insert(inbox), rows)
