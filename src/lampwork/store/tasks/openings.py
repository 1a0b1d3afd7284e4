"""Tasks are opened once, with their conversation, their files and their budget; or found so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import LampworkError
from lampwork.store import blobs
from lampwork.store.jobs import calls, inbox
from lampwork.store.jobs.calls import Beginning
from lampwork.store.schema import tasks
from lampwork.store.spending import budgets
from lampwork.store.spending.budgets import Chain
from lampwork.store.tasks import briefings, conversations, pauses, places
from lampwork.store.tasks.claims import Claim, claim
from lampwork.store.tasks.continued import continued
from lampwork.store.tasks.conversations import Entry, StaleEpoch
from lampwork.types import Json
from lampwork.types import conversation_id as new_conversation

_insert_task = sa.insert(tasks)


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a task's row starts from."""

    id: str
    job_id: str
    call: int
    begins: Beginning
    """What is written down of that call, in one with the task."""
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


def open_or_claim(connection: sa.Connection, new: NewTask) -> Claim | inbox.Wait:
    """Open the task, or claim it when an earlier run opened it; or its wait for a paused genie.

    Raises ConversationNotFound, UserNotAllowed, ConversationBusy, GenieInactive, and what refuses
    the task; then nothing was opened. Raises StaleEpoch if another run leads the job.
    """
    found: Claim | None = None  # of a call that nobody had begun there is nothing to claim
    if not calls.begins_anew(connection, new.begins):
        if not calls.leads(connection, new.begins.by):
            raise StaleEpoch(f"another run than {new.begins.by.run} leads job {new.job_id}")
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
    last = 1
    if new.continues:
        to = (new.conversation_id, new.id, claim.epoch)
        last = conversations.append(connection, *to, [("told", new.told)])
    held = new.is_limited and _take_place_of_genie(connection, new)
    return replace(claim, last_seq=last, has_place=held)


def _take_place_of_genie(connection: sa.Connection, new: NewTask) -> bool:
    """Whether the task has a place at once; if not, it stands in line for one."""
    wanted = places.Wanted(new.project, new.genie, new.job_id, new.call, new.deadline)
    return places.take(connection, new.conversation_id, new.id, 1, wanted) is None


def _take_place(connection: sa.Connection, new: NewTask) -> tuple[NewTask, int | None]:
    """Hold the task's conversation: its last entry before the task, None if it waits in line.

    A new one begins with what the task is told. A copy of a job goes on with a copy of another.
    """
    if not new.continues:
        told: list[Entry] = [("told", new.told)]
        of = (new.project, new.id, new.user)
        conversations.create(connection, new.conversation_id, *of, told)
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
