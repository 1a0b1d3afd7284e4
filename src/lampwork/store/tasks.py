"""Tasks: opened once, claimed by every run of their job, ended once, each in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import LampworkError
from lampwork.store import (
    blobs,
    briefings,
    budgets,
    calls,
    conversations,
    inbox,
    pauses,
    places,
    rates,
    reservations,
)
from lampwork.store.budgets import Chain
from lampwork.store.continued import continued
from lampwork.store.conversations import Entry, StaleEpoch
from lampwork.store.reservations import Reservation, Spent
from lampwork.store.schema import budgets as budgets_table
from lampwork.store.schema import conversations as conversations_table
from lampwork.store.schema import tasks
from lampwork.types import Json, TaskStatus
from lampwork.types import conversation_id as new_conversation

__all__ = [
    "Claim",
    "Lineage",
    "NewTask",
    "append",
    "claim",
    "finish",
    "lineage",
    "open_or_claim",
    "release_job",
]


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a task's row starts from."""

    id: str
    job_id: str
    call: int
    root_id: str
    """The job at the top of its tree."""
    parent_id: str | None
    """The nearest task above."""
    depth: int
    project: str
    genie: str
    conversation_id: str
    continues: bool
    """Whether the conversation is there already; a copy of a job may continue another for it."""
    wait_id: str | None
    """Under which it waits when the conversation is busy; None refuses instead."""
    waits_if_paused: bool
    """Whether it waits for a genie that is paused; if not, it is refused."""
    told: dict[str, Json]
    """The body of its first entry, with `instructions`, `data`, `on_problem`, `files` if any."""
    briefing: tuple[str, str]
    """What its requests hold besides the conversation, as JSON, with the digest before it."""
    metadata: dict[str, Json]
    sealed: Sequence[Sequence[str | int]]
    """Where the metadata is sealed, as paths."""
    output_schema: Json
    output_type: Json
    """See written_type.py."""
    metered: bool = False
    """Whether its model calls use tokens."""
    is_paced: bool = False
    """Whether it may have to wait before it asks its model."""
    is_limited: bool = False
    """Whether its genie works on so many tasks at a time, so that it needs a place."""
    limits: dict[str, Json] | None = None
    """Of the budget that it is given."""
    nanodollars: int | None = None
    """The limit on money among them."""
    begun_at: float = 0.0
    """When its call was made, in epoch seconds."""
    budgets_above: Chain = ()
    deadline: float | None = None
    """In epoch seconds, the earliest of its own and those above."""
    deadline_budget: str | None = None
    """The budget whose `seconds` end then, if no deadline was given that comes first."""
    user: str | None = None
    """For whom it is, of a message in a chat."""
    refused: LampworkError | None = None
    """Why it is not to be opened, if it has not been."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The tasks above a job, through whose skill calls it came to be."""

    task_id: str | None = None
    """The nearest of them."""
    genies: tuple[str, ...] = ()
    """Who works on them, the nearest last."""
    budgets: Chain = ()
    limits_money: bool = False
    """Whether one of these limits money."""
    deepest: int | None = None
    """How many tasks may stand one below the other in all, by the budgets."""
    deadline: float | None = None
    deadline_budget: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A task as its run found it. The run must prove that it owns the job before it goes on."""

    epoch: int
    conversation_id: str
    history_until: int
    """The last entry from before the task; -1 until it has held its conversation."""
    last_seq: int
    """The conversation's last entry, if the task holds it."""
    holds: bool
    """Whether it holds its conversation; if not, it waits in line."""
    wait_id: str | None
    """Under which it waits in line."""
    metadata: dict[str, Json]
    sealed: Sequence[Sequence[str | int]]
    outcome: Json
    """Not None when the task has ended."""
    budget_id: str | None
    """The nearest budget that counts."""
    deadline: float | None
    deadline_budget: str | None
    reserved: Reservation | None = None
    """For a model call that an earlier run had begun."""
    files: Json = None
    """As they were when it was opened, see files/snapshot.py; None of a task without."""
    has_place: bool = False
    """Whether it holds its place among those that its genie works on, if it needs one."""
    only_waited: bool = False
    """Whether the run before this one ended while it waited, and so had not asked the model."""
    is_new: bool = False


_insert_task = sa.insert(tasks)
_next_epoch = (
    sa.update(tasks)
    .where(tasks.c.id == sa.bindparam("task"))
    .values(epoch=tasks.c.epoch + 1)
    .returning(
        tasks.c.epoch,
        tasks.c.conversation_id,
        tasks.c.history_until,
        tasks.c.metadata,
        tasks.c.sealed,
        tasks.c.outcome,
        tasks.c.files,
        tasks.c.budget_id,
        tasks.c.deadline,
        tasks.c.deadline_budget,
    )
)
_hold_under = (
    sa.update(conversations_table)
    .where(
        conversations_table.c.id == sa.bindparam("conversation"),
        conversations_table.c.holder == sa.bindparam("task"),
    )
    .values(epoch=sa.bindparam("of_epoch"))
    .returning(conversations_table.c.last_seq)
)
_end = (
    sa.update(tasks)
    .where(
        tasks.c.id == sa.bindparam("task"),
        tasks.c.epoch == sa.bindparam("of_epoch"),
        tasks.c.ended_at.is_(None),
    )
    .values(
        {name: sa.bindparam(f"new_{name}") for name in ("status", "usage", "outcome", "ended_at")}
    )
    .returning(tasks.c.job_id, tasks.c.call)
)
_open_of_job = sa.select(tasks).where(
    tasks.c.job_id == sa.bindparam("job"), tasks.c.ended_at.is_(None)
)


def lineage(connection: sa.Connection, task: str | None) -> Lineage:
    """A task and those above it."""
    if task is None:
        return Lineage()
    above = sa.select(tasks).where(tasks.c.id == task).cte("above", recursive=True)
    above = above.union_all(sa.select(tasks).join(above, tasks.c.id == above.c.parent_id))
    given = budgets_table.c
    rows = connection.execute(
        sa.select(
            above.c.genie,
            above.c.depth,
            above.c.deadline,
            above.c.deadline_budget,
            given.id.label("budget"),
            given.limit_nanodollars,
            given.limit_depth,
        )
        .outerjoin(budgets_table, given.id == above.c.id)
        .order_by(above.c.depth)
    ).all()
    nearest = rows[-1]
    deepest = [row.depth + row.limit_depth - 1 for row in rows if row.limit_depth is not None]
    return Lineage(
        task_id=task,
        genies=tuple(row.genie for row in rows),
        budgets=tuple(row.budget for row in reversed(rows) if row.budget is not None),
        limits_money=any(row.limit_nanodollars is not None for row in rows),
        deepest=min(deepest, default=None),
        deadline=nearest.deadline,
        deadline_budget=nearest.deadline_budget,
    )


def open_or_claim(connection: sa.Connection, new: NewTask) -> Claim | inbox.Wait:
    """Open the task, or claim it when an earlier run opened it; or its wait for a paused genie.

    Raises ConversationNotFound, UserNotAllowed, ConversationBusy, GenieInactive, and what refuses
    the task; then nothing was opened.
    """
    found = claim(connection, new.id)
    briefings.keep(connection, *new.briefing)
    if found is None:
        if new.refused is not None:
            raise new.refused
        return _wait_if_paused(connection, new) or _open(connection, new)
    if found.holds or found.wait_id is not None or found.outcome is not None:
        if not (new.is_limited or new.is_paced):
            return found
        return replace(
            found,
            has_place=places.is_held(connection, new.id),
            only_waited=places.only_waited(connection, new.job_id, new.id, found.epoch),
        )
    return _regain(connection, new, found)


def _wait_if_paused(connection: sa.Connection, new: NewTask) -> inbox.Wait | None:
    if not new.waits_if_paused:
        pauses.require_active(connection, new.project, new.genie)
        return None
    return pauses.wait_if_paused(
        connection,
        new.project,
        new.genie,
        job_id=new.job_id,
        call=new.call,
        task=new.id,
        due_at=new.deadline,
    )


def _open(connection: sa.Connection, new: NewTask) -> Claim:
    new, until = _take_place(connection, new)
    files = new.told.get("files")
    if files is not None:
        kept = [digest for each in files for digest in (each["digest"], each["text"]) if digest]
        blobs.own(connection, new.job_id, kept)
    budget = next(iter(new.budgets_above), None)
    if new.limits is not None:
        limits = new.limits, new.nanodollars
        budgets.open_budget(connection, new.id, budget, *limits, new.begun_at)
        budget = new.id
    claim = Claim(
        epoch=1,
        conversation_id=new.conversation_id,
        history_until=-1 if until is None else until,
        last_seq=-1,
        holds=until is not None,
        wait_id=new.wait_id if until is None else None,
        metadata=new.metadata,
        sealed=new.sealed,
        outcome=None,
        files=files,
        budget_id=budget,
        deadline=new.deadline,
        deadline_budget=new.deadline_budget,
        is_new=True,
    )
    connection.execute(_insert_task, _row(new, claim))
    if not claim.holds:
        return claim
    told: list[Entry] = [("told", new.told)]
    last = conversations.append(connection, new.conversation_id, new.id, claim.epoch, told)
    held = new.is_limited and _take_place_of_genie(connection, new)
    return replace(claim, last_seq=last, has_place=held)


def _take_place_of_genie(connection: sa.Connection, new: NewTask) -> bool:
    """Whether the task has a place at once; if not, it stands in line for one."""
    wanted = places.Wanted(new.project, new.genie, new.job_id, new.call, new.deadline)
    return places.take(connection, new.conversation_id, new.id, 1, wanted) is None


def _take_place(connection: sa.Connection, new: NewTask) -> tuple[NewTask, int | None]:
    """Hold the task's conversation: its last entry before the task, None if it waits in line.

    A copy of a job goes on with a copy of the conversation.
    """
    if not new.continues:
        conversations.create(connection, new.conversation_id, new.project, new.id, new.user)
        return new, 0
    own_id = new_conversation(new.job_id, new.call)
    goes_on = continued(connection, new.conversation_id, root=new.root_id, new_id=own_id)
    new = replace(new, conversation_id=goes_on)
    until = conversations.obtain(
        connection,
        new.conversation_id,
        project=new.project,
        task=new.id,
        user=new.user,
        job=new.job_id,
        epoch=1,
        wait=new.wait_id,
    )
    return new, until


def _row(new: NewTask, claim: Claim) -> dict[str, Json]:
    return {
        "id": new.id,
        "job_id": new.job_id,
        "call": new.call,
        "parent_id": new.parent_id,
        "depth": new.depth,
        "genie": new.genie,
        "conversation_id": new.conversation_id,
        "history_until": claim.history_until,
        "status": "working" if claim.holds else "waiting",
        "epoch": claim.epoch,
        "instructions": new.told["instructions"],
        "on_problem": new.told["on_problem"],
        "data": new.told["data"],
        "metadata": new.metadata,
        "sealed": new.sealed,
        "output_schema": new.output_schema,
        "output_type": new.output_type,
        "files": claim.files,
        "metered": new.metered,
        "budget_id": claim.budget_id,
        "deadline": new.deadline,
        "deadline_budget": new.deadline_budget,
        "created_at": clock.now(),
    }


def claim(connection: sa.Connection, task: str) -> Claim | None:
    """Begin a new epoch of a task, which refuses all earlier ones; None without such a task."""
    row = connection.execute(_next_epoch, {"task": task}).first()
    if row is None:
        return None
    last = connection.execute(
        _hold_under, {"conversation": row.conversation_id, "task": task, "of_epoch": row.epoch}
    ).scalar()
    return Claim(
        epoch=row.epoch,
        conversation_id=row.conversation_id,
        history_until=row.history_until,
        last_seq=-1 if last is None else last,
        holds=last is not None,
        wait_id=None if last is not None else conversations.place_in_line(connection, task),
        metadata=row.metadata,
        sealed=row.sealed,
        outcome=row.outcome,
        files=row.files,
        budget_id=row.budget_id,
        deadline=row.deadline,
        deadline_budget=row.deadline_budget,
        reserved=reservations.reservation_of(connection, task)
        if row.budget_id is not None
        else None,
    )


def _regain(connection: sa.Connection, new: NewTask, found: Claim) -> Claim:
    """A job that needed attention had given up its holds and places, and goes on."""
    wait = None if new.wait_id is None else f"{new.wait_id}.again{found.epoch}"
    last = conversations.obtain(
        connection,
        found.conversation_id,
        project=new.project,
        task=new.id,
        user=new.user,
        job=new.job_id,
        epoch=found.epoch,
        wait=wait,
    )
    if last is None:
        return replace(found, wait_id=wait)
    until = found.history_until
    if until < 0:
        until = last
        connection.execute(sa.update(tasks).where(tasks.c.id == new.id).values(history_until=until))
    return replace(found, holds=True, last_seq=last, history_until=until)


def files_of(connection: sa.Connection, task: str) -> Json | None:
    """The files with which a task was opened; None if it was not."""
    row = connection.execute(sa.select(tasks.c.files).where(tasks.c.id == task)).first()
    return None if row is None else row.files


def append(
    connection: sa.Connection,
    conversation: str,
    task: str,
    epoch: int,
    new: Sequence[Entry],
    at: float,
    after: int | None = None,
    status: TaskStatus | None = None,
    spent: Spent | None = None,
    paced: tuple[rates.Taken, int] | None = None,
) -> int:
    """Append a task's entries, and show its status if that changes.

    What a model call has `spent` is settled with them. Raises StaleEpoch, LimitMet.
    """
    first = conversations.append(connection, conversation, task, epoch, new, after, at)
    if spent is not None:
        reservations.settle(connection, task, spent)
    if paced is not None:
        rates.settle(connection, *paced)
    if status is not None:
        connection.execute(sa.update(tasks).where(tasks.c.id == task).values(status=status))
    return first


def finish(
    connection: sa.Connection,
    conversation: str,
    task: str,
    epoch: int,
    new: Sequence[Entry],
    at: float,
    after: int,
    status: TaskStatus,
    usage: Json,
    outcome: Json,
    envelope: str,
    spent: Spent | None = None,
    has_place: bool = False,
    paced: tuple[rates.Taken, int] | None = None,
) -> list[inbox.Delivery]:
    """End a task: its last entries, its outcome, and its conversation for the next in line.

    One that waits in line, and has written nothing, has no last entries. `envelope` is recorded as
    what came of the job's call, see values.py.

    Returns the answers to the waits of those whose turn it is. Raises StaleEpoch.
    """
    if new:
        conversations.append(connection, conversation, task, epoch, new, after, at)
    if spent is not None:
        reservations.settle(connection, task, spent)
    if paced is not None:
        rates.settle(connection, *paced)
    ended = connection.execute(
        _end,
        {
            "task": task,
            "of_epoch": epoch,
            "new_status": status,
            "new_usage": usage,
            "new_outcome": outcome,
            "new_ended_at": clock.now(),
        },
    ).first()
    if ended is None:
        raise StaleEpoch(f"task {task} has ended, or goes on under another epoch")
    calls.record(connection, ended.job_id, ended.call, envelope)
    freed = places.leave(connection, task) if has_place else []
    return conversations.release(connection, task, conversation) + freed


def release_job(
    connection: sa.Connection, job_id: str, *, ended: TaskStatus | None = None
) -> list[inbox.Delivery]:
    """A job is over: all that its tasks hold, and their places in line; `ended` ends them too."""
    open_tasks = connection.execute(_open_of_job, {"job": job_id}).all()
    told = [
        delivery
        for task in open_tasks
        for delivery in conversations.release(connection, task.id, task.conversation_id)
    ]
    if ended is not None:
        for task in open_tasks:
            usage = reservations.usage_at_end(connection, task)
            connection.execute(
                sa.update(tasks)
                .where(tasks.c.id == task.id)
                .values(status=ended, usage=usage, ended_at=clock.now())
            )
    return told
