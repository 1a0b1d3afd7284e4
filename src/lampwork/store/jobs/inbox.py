"""Waits and the inbox: where answers and messages from outside land until they are taken.

A wait is answered once, by the inbox row that bears its id: the column is unique, so the first
answer wins, an expiry among them. A message waits under its topic until a wait takes it, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.errors import (
    AlreadyAnswered,
    JobEnded,
    JobNotFound,
    ProposalChanged,
    UserNotAllowed,
    WaitNotFound,
    has_ended,
)
from lampwork.store.processes import news
from lampwork.store.processes.share import Share
from lampwork.store.schema import inbox, jobs, waits
from lampwork.store.schema.base import Apart
from lampwork.types import ENDED, Json, WaitKind

_insert_wait = insert(waits).on_conflict_do_nothing()
_insert_row = insert(inbox).on_conflict_do_nothing()
_row_of = sa.select(inbox).where(inbox.c.wait_id == sa.bindparam("wait"))
_due_at_of = sa.select(waits.c.due_at).where(waits.c.id == sa.bindparam("wait"))
_set_answered = sa.update(waits).where(waits.c.id == sa.bindparam("wait")).values(answered=True)

_KINDS: dict[WaitKind, str] = {
    "event": "an event",
    "timer": "its time",
    "child": "another job",
    "map": "other jobs",
    "conversation": "its turn",
    "paused": "its genie to be started",
    "resolution": "a word on what became of an effect",
    "confirmation": "its user to confirm a call",
    "approval": "a person to approve a plan",
    "order": "what a person says of a subtask",
    "place": "a place among the tasks of its genie",
    "rate": "its turn at a model",
    "endpoint": "an endpoint's answer",
}

AnswerKind = Literal["answer", "message", "expired", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Something a job or a task needs from outside. `subject` says what, for people."""

    id: str
    job_id: str
    call: int
    kind: WaitKind
    subject: dict[str, Json]
    task_id: str | None = None
    topic: str | None = None
    due_at: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: an answer, a message, that the time is up, or that nobody waits any more."""

    kind: AnswerKind
    value: Json
    source: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """An answer on its way to its wait."""

    wait_id: str
    job_id: str
    answer: Answer


def open_wait(connection: sa.Connection, wait: Wait) -> tuple[Answer | None, float | None]:
    """Write a wait down; its answer if it has one already, and when it is due.

    The due time is the one of its first opening: a replay does not begin a pause anew.
    """
    opened = connection.execute(
        _insert_wait,
        {
            "id": wait.id,
            "job_id": wait.job_id,
            "call": wait.call,
            "task_id": wait.task_id,
            "kind": wait.kind,
            "subject": wait.subject,
            "topic": wait.topic,
            "due_at": wait.due_at,
            "opened_at": clock.now(),
            "answered": False,
            "parked": False,
        },
    )
    if (answer := _answer_of(connection, wait.id)) is not None:
        if opened.rowcount:
            _mark_answered(connection, wait.id)
        return answer, None
    if wait.topic is not None and _take_message(connection, wait.id, wait.topic):
        return _answer_of(connection, wait.id), None
    return None, connection.execute(_due_at_of, {"wait": wait.id}).scalar_one()


def _answer_of(connection: sa.Connection, wait: str) -> Answer | None:
    row = connection.execute(_row_of, {"wait": wait}).first()
    return None if row is None else Answer(row.kind, row.value, row.source)


def _take_message(connection: sa.Connection, wait: str, topic: str) -> bool:
    """Give the wait the oldest message of its topic that nobody has taken."""
    oldest = (
        sa.select(sa.func.min(inbox.c.id))
        .where(inbox.c.topic == topic, inbox.c.wait_id.is_(None))
        .scalar_subquery()
    )
    taken = connection.execute(
        sa.update(inbox).where(inbox.c.id == oldest).values(wait_id=wait)
    ).rowcount
    if taken:
        _mark_answered(connection, wait)
    return bool(taken)


def answer(connection: sa.Connection, wait: str, value: Json, source: str) -> Delivery:
    """Answer a wait from outside.

    Raises WaitNotFound, AlreadyAnswered (the first one counts), JobEnded.
    """
    row = _row(connection, wait, "resolution")
    _require_unanswered(connection, wait)
    _require_open(row)
    return _put_answer(connection, row, "answer", value, source)


def decide(connection: sa.Connection, wait: str, value: dict[str, Json], by: str) -> Delivery:
    """Confirm or reject what a wait proposes to its user, by the digest of what that user has seen.

    Raises WaitNotFound, UserNotAllowed, AlreadyAnswered (the first one counts), JobEnded,
    ProposalChanged.
    """
    row = _row(connection, wait, "confirmation")
    if row.subject["user"] != by:
        raise UserNotAllowed(
            f"{wait} asks the user of its chat, who is not {by}. Nobody else can decide on it.",
            user=by,
        )
    _require_proposed(connection, row, value["digest"])
    return _put_answer(connection, row, "answer", value, by)


def decide_plan(connection: sa.Connection, wait: str, value: dict[str, Json], by: str) -> Delivery:
    """Approve or reject the plan that a wait proposes, by the digest of what was seen.

    Raises WaitNotFound, AlreadyAnswered (the first one counts), JobEnded, ProposalChanged.
    """
    row = _row(connection, wait, "approval")
    _require_proposed(connection, row, value["digest"])
    if row.subject.get("edits"):
        value = value | {"subtasks": row.subject["subtasks"]}
    return _put_answer(connection, row, "answer", value | {"at": clock.now()}, by)


def edit_plan(
    connection: sa.Connection,
    wait: str,
    digest: str,
    new: dict[str, Json],
    by: str,
    reason: str,
) -> None:
    """Propose another plan instead of the one of this digest; that one stays on record.

    Raises as `decide_plan`.
    """
    row = _row(connection, wait, "approval")
    _require_proposed(connection, row, digest)
    before = {name: row.subject[name] for name in ("subtasks", "digest")}
    edit = before | {"by": by, "at": clock.now(), "reason": reason}
    subject = row.subject | new | {"edits": [*row.subject.get("edits", ()), edit]}
    connection.execute(sa.update(waits).where(waits.c.id == wait).values(subject=subject))
    connection.execute(
        sa.update(jobs).where(jobs.c.id == row.job_id).values(changed_at=clock.now())
    )


def _require_proposed(connection: sa.Connection, row: sa.Row[Any], digest: str) -> None:
    """Raise AlreadyAnswered, JobEnded or ProposalChanged unless a wait proposes this."""
    _require_unanswered(connection, row.id)
    _require_open(row)
    if row.want == "cancelled":
        raise JobEnded(
            f"Job {row.job_id} is being cancelled, so nothing of what it proposes will be done.",
            job_status=row.status,
        )
    if digest != row.subject["digest"]:
        shown = f"job {row.job_id}"
        if row.kind == "approval":
            shown = f"orchestration {row.subject['orchestration']}"
        raise ProposalChanged(
            f"{row.id} proposes something else than what was decided. Look at it again, with "
            f"`lampwork {shown}`, and decide on that.",
            digest=row.subject["digest"],
        )


def _require_unanswered(connection: sa.Connection, wait: str) -> None:
    given = connection.execute(_row_of, {"wait": wait}).first()
    if given is not None:
        at = f"{datetime.fromtimestamp(given.at, UTC):%Y-%m-%d %H:%M:%S} UTC"
        raise AlreadyAnswered(
            f"{wait} was already answered by {given.source} at {at}{_said(given.value)}; "
            "the first answer counts.",
            source=given.source,
        )


def _said(value: Json) -> str:
    """What a person has said of an effect, or of a proposal, and why."""
    if not isinstance(value, dict):
        return ""
    given = cast(dict[str, Json], value)
    verdict = given.get("resolution") or given.get("verdict")
    said = [str(each).rstrip(".") for each in (verdict, given.get("reason")) if each]
    return f": {', '.join(said)}" if said else ""


def _row(connection: sa.Connection, wait: str, kind: WaitKind) -> sa.Row[Any]:
    """A wait of this kind, with the status of its job. Raises WaitNotFound."""
    row = connection.execute(
        sa.select(waits, jobs.c.status, jobs.c.want)
        .join(jobs, jobs.c.id == waits.c.job_id)
        .where(waits.c.id == wait)
    ).first()
    if row is None:
        raise WaitNotFound(f"Nothing waits under {wait}. `lampwork job ID` lists a job's waits.")
    if row.kind != kind:
        raise WaitNotFound(f"{wait} waits for {_KINDS[row.kind]}, not for {_KINDS[kind]}.")
    return row


def _require_open(row: sa.Row[Any]) -> None:
    if row.status in ENDED:
        raise JobEnded(f"Job {row.job_id} {has_ended(row.status)}.", job_status=row.status)


def _put_answer(
    connection: sa.Connection, row: sa.Row[Any], kind: AnswerKind, value: Json, source: str
) -> Delivery:
    connection.execute(
        sa.insert(inbox).values(
            wait_id=row.id, kind=kind, value=value, source=source, at=clock.now()
        )
    )
    _mark_answered(connection, row.id)
    news.tell(connection, "answers", row.job_id)
    return Delivery(row.id, row.job_id, Answer(kind, value, source))


def _mark_answered(connection: sa.Connection, wait: str) -> None:
    connection.execute(_set_answered, {"wait": wait})


def settle(
    connection: sa.Connection, wait: str, job_id: str, value: Json, source: str
) -> list[Delivery]:
    """Answer a wait from within Lampwork, whether it is open already or not; twice is once."""
    put = connection.execute(
        _insert_row,
        {"wait_id": wait, "kind": "answer", "value": value, "source": source, "at": clock.now()},
    ).rowcount
    if not put:
        return []
    _mark_answered(connection, wait)
    news.tell(connection, "answers", job_id)
    return [Delivery(wait, job_id, Answer("answer", value, source))]


def withdraw(connection: sa.Connection, wait: str, job_id: str, source: str) -> list[Delivery]:
    """Say of an open wait that what it was for has come about in another way."""
    put = connection.execute(
        _insert_row,
        {"wait_id": wait, "kind": "withdrawn", "value": {}, "source": source, "at": clock.now()},
    ).rowcount
    _mark_answered(connection, wait)
    news.tell(connection, "answers", job_id)
    return [Delivery(wait, job_id, Answer("withdrawn", {}, source))] if put else []


def send(
    connection: sa.Connection, job_id: str, topic: str, value: Json, source: str
) -> list[Delivery]:
    """Put a message into the inbox, for the oldest open wait of its topic or for a later one.

    Raises JobNotFound, JobEnded.
    """
    status = connection.execute(sa.select(jobs.c.status).where(jobs.c.id == job_id)).scalar()
    if status is None:
        raise JobNotFound(f"There is no job {job_id}.")
    if status in ENDED:
        raise JobEnded(f"Job {job_id} {has_ended(status)}; it takes no events.", job_status=status)
    connection.execute(
        sa.insert(inbox).values(
            topic=topic, kind="message", value=value, source=source, at=clock.now()
        )
    )
    waiting = connection.execute(
        sa.select(waits.c.id)
        .where(waits.c.topic == topic, waits.c.answered.is_(False))
        .order_by(waits.c.call)
        .limit(1)
    ).scalar()
    if waiting is None or not _take_message(connection, waiting, topic):
        return []
    taken = _answer_of(connection, waiting)
    assert taken is not None
    news.tell(connection, "answers", job_id)
    return [Delivery(waiting, job_id, taken)]


def expected(connection: sa.Connection, topic: str) -> dict[str, Json] | None:
    """The subject of the wait that the next message of a topic goes to, if one is open."""
    return connection.execute(
        sa.select(waits.c.subject)
        .where(waits.c.topic == topic, waits.c.answered.is_(False))
        .order_by(waits.c.call)
        .limit(1)
    ).scalar()


def unanswered(connection: sa.Connection, wait: str) -> dict[str, Json] | None:
    """The subject of a wait for a person's word that is open."""
    return connection.execute(
        sa.select(waits.c.subject).where(
            waits.c.id == wait, waits.c.kind == "resolution", waits.c.answered.is_(False)
        )
    ).scalar()


def expire(connection: sa.Connection, now: float) -> list[Delivery]:
    """Say of all waits that are due that their time is up; an answer that came first stays."""
    due = connection.execute(
        sa.select(waits).where(
            waits.c.due_at.is_not(None), waits.c.due_at <= now, waits.c.answered.is_(False)
        )
    ).all()
    return [_put_answer(connection, row, "expired", None, "clock") for row in due]


def next_due(connection: sa.Connection) -> float | None:
    """When the next wait is due, in epoch seconds."""
    query = sa.select(sa.func.min(waits.c.due_at)).where(
        waits.c.due_at.is_not(None), waits.c.answered.is_(False)
    )
    return connection.execute(query).scalar()


def rests(connection: sa.Connection) -> bool:
    """Whether anybody rests before another try of a task."""
    query = sa.select(waits.c.id).where(
        waits.c.kind == "timer", waits.c.task_id.is_not(None), waits.c.answered.is_(False)
    )
    return connection.execute(query.limit(1)).first() is not None


def newest_of_call(connection: sa.Connection, job_id: str, call: int) -> dict[str, Json] | None:
    """The subject of the wait that a call opened last."""
    return connection.execute(
        sa.select(waits.c.subject)
        .where(waits.c.job_id == job_id, waits.c.call == call)
        .order_by(waits.c.opened_at.desc())
        .limit(1)
    ).scalar()


def any_answered(connection: sa.Connection, wait_ids: Sequence[str]) -> bool:
    """Whether one of these waits has its answer."""
    query = sa.select(sa.exists().where(inbox.c.wait_id.in_(wait_ids)))
    return bool(connection.execute(query).scalar())


def answers(connection: sa.Connection, wait_ids: Sequence[str]) -> list[Delivery]:
    """The answers that these waits have."""
    rows = connection.execute(
        sa.select(inbox, waits.c.job_id)
        .join(waits, waits.c.id == inbox.c.wait_id)
        .where(inbox.c.wait_id.in_(wait_ids))
    )
    return [
        Delivery(row.wait_id, row.job_id, Answer(row.kind, row.value, row.source)) for row in rows
    ]


def stand_at(connection: sa.Connection, job_id: str, wait_ids: Sequence[str]) -> None:
    """Write down the waits at which a run is parked: those of settled calls stay behind."""
    connection.execute(
        sa.update(waits).where(waits.c.job_id == job_id).values(parked=waits.c.id.in_(wait_ids))
    )


def can_move(connection: sa.Connection, job_id: str) -> bool:
    """Whether a parked job would get on if it were woken now.

    Its run stands at one call, or at several under one `gather`, which goes on when all have
    settled; a task among them moves when all that it waits for itself has come, and an endpoint is
    looked at each time.
    """
    answered = sa.cast(waits.c.answered, sa.Integer)
    standing = connection.execute(
        sa.select(
            waits.c.task_id,
            sa.func.min(answered).label("all_answered"),
            sa.func.max(sa.case((waits.c.kind == "endpoint", answered), else_=0)).label("looks"),
        )
        .where(waits.c.job_id == job_id, waits.c.parked)
        .group_by(waits.c.task_id)
    ).all()
    if any((row.task_id is not None and row.all_answered) or row.looks for row in standing):
        return True
    return all(row.all_answered for row in standing)


def movable_jobs(connection: sa.Connection, share: Share) -> list[str]:
    """Parked jobs of a share that have an answer and may get on with it."""
    query = (
        sa.select(waits.c.job_id)
        .join(jobs, jobs.c.id == waits.c.job_id)
        .where(
            waits.c.parked.is_(True),
            waits.c.answered.is_(True),
            Apart(jobs.c.want) == "parked",  # answers are few, what is parked may be very many
            share.condition(),
        )
        .distinct()
    )
    return list(connection.execute(query).scalars())


def arrived(connection: sa.Connection, after: int, share: Share) -> tuple[int, list[Delivery]]:
    """Answers for jobs in a process's charge, since the row `after`, and the newest row's id.

    Rows come in the order of their ids, because transactions that write take turns.
    """
    newest = connection.execute(sa.select(sa.func.max(inbox.c.id))).scalar() or 0
    rows = connection.execute(
        sa.select(inbox, waits.c.job_id)
        .join(waits, waits.c.id == inbox.c.wait_id)
        .join(jobs, jobs.c.id == waits.c.job_id)
        .where(inbox.c.id > after, jobs.c.status.not_in(ENDED), share.in_charge())
        .order_by(inbox.c.id)
    )
    return newest, [
        Delivery(row.wait_id, row.job_id, Answer(row.kind, row.value, row.source)) for row in rows
    ]


def newest_id(connection: sa.Connection) -> int:
    """The id of the newest row."""
    return connection.execute(sa.select(sa.func.max(inbox.c.id))).scalar() or 0
