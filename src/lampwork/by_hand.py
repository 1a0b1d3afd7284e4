"""A person answers a task in the genie's place: one that waits, or one that has failed.

A task that waits is ended where it is. A task that has failed has failed its job too, and what has
ended is never rewritten: a copy of the job goes on with the answer, see `copies`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lampwork import clock, copies, values
from lampwork.errors import (
    AlreadyAnswered,
    Conflict,
    CopyRefused,
    InputInvalid,
    LampworkError,
    TaskNotFound,
    TaskNotWaiting,
    has_ended,
    joined,
)
from lampwork.genies.output import Output
from lampwork.metadata.needles import needles
from lampwork.metadata.seal import Seal
from lampwork.store.jobs import cancelled
from lampwork.store.jobs import copies as copies_store
from lampwork.store.jobs.inbox import Delivery
from lampwork.store.people.audit import Act, recorded
from lampwork.store.spending import reservations
from lampwork.store.tasks import by_hand, claims, conversations, tasks
from lampwork.tasks.action import actions_record
from lampwork.tasks.answer import answer_record
from lampwork.tasks.delegation import tasks_below
from lampwork.tasks.task import failed
from lampwork.tasks.transcript import Intent, Transcript, own_transcript
from lampwork.types import ENDED, Json, child_wait_id, task_id, wait_id
from lampwork.views import CopyPlan

if TYPE_CHECKING:
    import sqlalchemy as sa

    from lampwork.store.store import Store

__all__ = [
    "AnswerByHand",
    "GoesOn",
    "answer_failed",
    "answer_waiting",
    "check",
    "plan_failed",
    "take_over",
]


@dataclass(frozen=True, slots=True)
class AnswerByHand:
    """A person's answer, as it is recorded."""

    output: Json
    response: str
    by: str
    note: str | None

    def entry(self, task: sa.Row[Any]) -> dict[str, Json]:
        """The body of its entry, with what later tasks are shown where that has to be less."""
        wanted, _ = needles(task.metadata, [tuple(path) for path in task.sealed])
        shown = Seal(wanted).hide(self.response)
        body = {"output": self.output, "response": self.response, "by": self.by, "note": self.note}
        return body if shown == self.response else body | {"shown": shown}


@dataclass(frozen=True, slots=True)
class GoesOn:
    """What an answer set off."""

    told: list[Delivery]
    cancelled: list[str]
    """Jobs below the task that are meant to be cancelled now."""


def check(
    task: str, output: Output | None, value: Any, *, by: str, note: str | None
) -> AnswerByHand:
    """A person's answer in its recorded form, checked like the genie's. Raises InputInvalid."""
    if not by:
        raise InputInvalid("Say who answers: by= is empty.", problems=["by"])
    if output is None:
        if not isinstance(value, str) or not value.strip():
            raise InputInvalid(
                f"Task {task} asks for a text. Nothing was changed.", problems=["answer"]
            )
        return AnswerByHand(value, value, by, note)
    recorded, problems = output.take(value)
    if problems:
        raise InputInvalid(
            f"That is no answer for task {task}: {joined(problems)} Nothing was changed.",
            problems=problems,
        )
    return AnswerByHand(recorded, json.dumps(recorded, ensure_ascii=False), by, note)


# --- a task that waits ---


def answer_waiting(connection: sa.Connection, task: str, given: AnswerByHand) -> GoesOn:
    """End a task that waits with a person's answer, in one transaction.

    Its run, if there is one, finds the outcome when its waits are withdrawn. Raises TaskNotFound,
    TaskNotWaiting, AlreadyAnswered, Conflict.
    """
    row = by_hand.get(connection, task)
    _require_open(row)
    claim = claims.claim(connection, task)
    assert claim is not None
    so_far = own_transcript(connection, row)
    if not _waits(connection, row, claim, so_far):
        raise TaskNotWaiting(
            f"Task {task} is being worked on: its genie is asked, or a skill executes. Answer it "
            "when it waits or has failed, or cancel its job."
        )
    children = [child for intent in so_far.open.values() if (child := _begun_child(intent))]
    last = claim.last_seq if claim.holds else None
    if last is None and row.history_until >= 0:  # its job was stopped, which gave up its hold
        last = conversations.take_if_free(connection, row.conversation_id, task, claim.epoch)
    body, at = given.entry(row), clock.now()
    so_far.take(0 if last is None else last + 1, "answered", body, at=at, epoch=claim.epoch)
    so_far.usage = reservations.usage_at_end(connection, row)
    record = answer_record(so_far, claim, tasks_below(connection, task))
    told = tasks.finish(
        connection,
        row.conversation_id,
        task,
        claim.epoch,
        [] if last is None else [("answered", body)],
        at=at,
        after=-1 if last is None else last,
        status="answered",
        usage=so_far.usage,
        outcome={"answered": None if last is None else last + 1, "by": given.by},
        envelope=_envelope(record),
    )
    told += by_hand.withdraw_waits(connection, row, given.by)
    return GoesOn(told, cancelled.want_all_cancelled(connection, children))


def take_over(connection: sa.Connection, task: str, error: LampworkError, by: str) -> GoesOn | None:
    """End a task that its genie works on with this error, in one transaction.

    None, and nothing is changed, if there is none, if it has ended, or while a skill acts that must
    not act twice: what came of that has to be known first.
    """
    try:
        row = by_hand.get(connection, task)
    except TaskNotFound:
        return None
    if row.ended_at is not None or row.want == "cancelled":
        return None
    so_far = own_transcript(connection, row)
    if any(_acts_once(each) for each in so_far.open.values()):
        return None
    claim = claims.claim(connection, task)
    assert claim is not None
    children = [child for intent in so_far.open.values() if (child := _begun_child(intent))]
    last, at = claim.last_seq if claim.holds else None, clock.now()
    record = error.to_record()
    so_far.usage = reservations.usage_at_end(connection, row)
    record["fields"] |= {"task_id": task, "conversation_id": claim.conversation_id}
    done = {
        "usage": so_far.usage,
        "actions": actions_record(so_far.actions.values(), tasks_below(connection, task)),
    }
    told = tasks.finish(
        connection,
        row.conversation_id,
        task,
        claim.epoch,
        [] if last is None else [failed(error)],
        at=at,
        after=-1 if last is None else last,
        status="failed",
        usage=so_far.usage,
        outcome={"error": record},
        envelope=values.write(values.Failure(record | {"fields": record["fields"] | done})),
        has_place=True,
    )
    told += by_hand.withdraw_waits(connection, row, by)
    return GoesOn(told, cancelled.want_all_cancelled(connection, children))


def _acts_once(intent: Intent) -> bool:
    """Whether a call acts just now, as far as anybody knows, that must not act twice."""
    acts = intent.child is None and intent.proposal is None and intent.unknown is None
    return acts and intent.effect == "at_most_once"


def _require_open(row: sa.Row[Any]) -> None:
    outcome: dict[str, Json] = row.outcome or {}
    if row.status == "answered":
        by = outcome.get("by") or f"genie {row.genie}"
        raise AlreadyAnswered(
            f"Task {row.id} was already answered by {by}; the first answer counts.", source=by
        )
    if row.ended_at is not None:
        raise Conflict(
            f"Task {row.id} {has_ended(row.status)}. Look at its job: lampwork job {row.job_id}"
        )
    if row.want == "cancelled":
        raise Conflict(f"Task {row.id} is being cancelled with its job {row.job_id}.")


def _waits(
    connection: sa.Connection, row: sa.Row[Any], claim: claims.Claim, so_far: Transcript
) -> bool:
    """Whether nothing of a task executes, by what is on record."""
    if row.want == "attention":
        return True
    waiting = by_hand.open_waits(connection, row)
    if not waiting or not claim.holds:
        return bool(waiting)
    if row.want == "parked":
        return True
    return all(
        _is_waited_for(waiting, _begun_child(intent), wait_id(row.job_id, row.call, intent.label))
        for intent in so_far.open.values()
    )


def _begun_child(intent: Intent) -> str | None:
    """The job that an open skill call may have started, if that is what it does."""
    return None if intent.proposal is not None else intent.child


def _is_waited_for(waiting: list[str], child: str | None, asked: str) -> bool:
    """Whether an open skill call waits: for its job, for a word on what became of it, or for one
    on whether it is to be done."""
    if child is not None:
        return child_wait_id(child) in waiting
    return any(f"{each}.".startswith(f"{asked}.") for each in waiting)


def _envelope(record: dict[str, Json]) -> str:
    return values.write(
        values.Value(values.encode(record, values.UNTYPED, "the answer of a person"))
    )


# --- a task that has failed ---


async def answer_failed(store: Store, task: str, given: AnswerByHand, job_id: str) -> None:
    """Accept a copy of a failed task's job, under this id, which goes on with the answer.

    Raises TaskNotFound, AlreadyAnswered, Conflict if the failure of the task is not that of its
    job.
    """
    row = await store.read(by_hand.get, task)
    new = await copies.new_copy(store, await _retry(store, row), job_id)
    act = Act("task.answer", task, details={"copy": job_id})
    await store.write(recorded(act, _create), row, new, given)


async def plan_failed(store: Store, task: str) -> CopyPlan:
    """What that copy would keep and do again. Raises as `answer_failed` does."""
    row = await store.read(by_hand.get, task)
    await store.read(by_hand.require_no_successor, row)
    return copies.with_answer(await _retry(store, row), row.call, task)


async def _retry(store: Store, row: sa.Row[Any]) -> CopyPlan:
    """The retry of a failed task's job, if its failure is that of the job. Raises Conflict."""
    task = row.id
    if row.parent_job is not None:
        raise Conflict(
            f"Task {task} failed in job {row.job_id}, which is a part of job {row.root_id}: a copy "
            f"begins at a call of that one. Retry it: lampwork job {row.root_id} retry"
        )
    try:
        plan = await copies.plan(store, row.job_id, "retry")
        failed_by = await copies.failed_by(store, row.job_id)
    except CopyRefused as error:
        raise Conflict(
            f"Task {task} has failed, and its recipe went on without its answer. {error}"
        ) from error
    if plan.status not in ENDED or row.call not in failed_by:
        raise Conflict(
            f"Task {task} has failed, and its recipe went on without its answer: job {row.job_id} "
            f"{plan.status} for another reason. Retry or fork that."
        )
    return plan


def _create(
    connection: sa.Connection, row: sa.Row[Any], new: copies_store.NewCopy, given: AnswerByHand
) -> None:
    """The copy of a failed task's job, with the answer in place of the failure."""
    by_hand.require_no_successor(connection, row)
    copies_store.create(connection, new)
    answered = ("answered", given.entry(row))
    conversation, seq = by_hand.continue_in_copy(connection, row, new.id, answered)
    so_far = own_transcript(connection, row)
    so_far.take(seq, *answered)
    so_far.task_id = task_id(new.id, row.call)
    record = answer_record(so_far, row, tasks_below(connection, row.id))
    by_hand.insert_answered(
        connection,
        row,
        new.id,
        conversation=conversation,
        seq=seq,
        by=given.by,
        envelope=_envelope(record | {"conversation_id": conversation}),
    )
