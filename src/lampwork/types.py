"""Ids, JSON aliases and status literals: the vocabulary that every layer shares."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any, Literal, get_args

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict with str keys."""

JobStatus = Literal[
    "queued", "running", "suspended", "succeeded", "failed", "cancelled", "needs_attention"
]
TaskStatus = Literal["assigned", "working", "waiting", "answered", "failed", "cancelled"]
Effect = Literal["read", "idempotent", "at_most_once"]

Want = Literal["run", "parked", "held", "cancelled", "attention"]
"""What is meant to happen to a job: the engine's own status never decides.
`held` is a map's item whose turn has not come."""

CallKind = Literal[
    "step", "task", "call", "start", "map", "sleep", "wait_for", "endpoint", "approval", "value"
]
WaitKind = Literal[
    "event",
    "timer",
    "child",
    "map",
    "conversation",
    "resolution",
    "confirmation",
    "approval",
    "order",
    "paused",
    "place",
    "rate",
    "endpoint",
]

Resolution = Literal["happened", "did_not_happen", "fail"]
"""What a person can say of an effect whose outcome is unknown."""

CopyKind = Literal["retry", "rerun", "fork"]
"""What a copy of a job keeps: what had not failed, nothing, or what came before a call."""

TriggerKind = Literal["cron", "poll", "webhook", "endpoint"]
"""What starts jobs; they are also started by `api`, `cli`, `job` and `end`."""

Role = Literal["viewer", "builder", "approver", "admin"]
"""In their order: each may do what those before it may.

A viewer sees everything. A builder also starts, stops and copies work, and sends it events. An
approver also decides for others: approvals, unknown outcomes, answers in a genie's place. An admin
also says who may do what: accounts, roles, keys; and pauses, erases, reads the audit log.
"""

ROLES: tuple[Role, ...] = get_args(Role)

ENDED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})
"""The job statuses that never change again."""

ROUNDS = "lampwork.orchestrators.rounds:"
"""With what the callables of jobs begin that carry out a plan."""

CARRIERS: tuple[str, str] = ("lampwork.job:assigned", "lampwork.job:chat")
"""The recipes of a task that is assigned, and a message that is sent, from outside any recipe."""

LARGEST_IN_ROW = 16 * 1024
"""Characters of a recorded value that stays in its row. A longer one goes to the blobs, where it
is kept once: what a task answered is the outcome of its call, of its job, and the engine's."""

LARGEST_RESULT = 256 * 1024
"""Characters of what a skill gives, all of which its genie is shown."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class JobRef(str):
    """A job that was started and is not waited for: its id."""

    __slots__ = ()

    @property
    def job_id(self) -> str:
        """The id."""
        return str(self)


def new_job_id() -> str:
    """A job id that sorts by time: `j`, ten characters of milliseconds, eight of what is below.

    These are twelve bits of the time within the millisecond, so that jobs that one caller starts
    after each other sort so, and 28 of chance (RFC 9562 §6.2, method 3).
    """
    stamp, rest = divmod(time.time_ns(), 1_000_000)
    tail = (rest * 4096 // 1_000_000) << 28 | secrets.randbits(28)
    digits = [_ALPHABET[(stamp >> shift) & 31] for shift in range(45, -1, -5)]
    digits += [_ALPHABET[(tail >> shift) & 31] for shift in range(35, -1, -5)]
    return "j" + "".join(digits)


def is_job_id(id: str) -> bool:
    """Whether an id, if it is of anything, is that of a job, and not of a task or a conversation.

    >>> is_job_id("j01m7z9feedvzwt2jhv.1.2.0"), is_job_id("t01m7z9feedvzwt2jhv.1")
    (True, False)
    """
    return id.startswith("j")


def effect_base(*origin: str) -> str:
    """What the keys of a job's effects begin with: of one that the same origin would start again.

    The origin is a time of a cron, an item of a poll or an idempotency key. After a restore that
    job has another id, and the keys of its effects must be what they were.
    """
    digest = int.from_bytes(hashlib.sha256("\0".join(origin).encode()).digest())
    return "k" + "".join(_ALPHABET[(digest >> shift) & 31] for shift in range(120, -1, -5))


def task_id(job_id: str, call: int) -> str:
    """The id of the task that call number `call` of a job assigns."""
    return f"t{job_id[1:]}.{call}"


def conversation_id(job_id: str, call: int) -> str:
    """The id of the new conversation of that task."""
    return f"c{job_id[1:]}.{call}"


def wait_id(job_id: str, call: int, skill_call: str = "") -> str:
    """The id of the wait of a job's call, or of one of its task's skill calls (`seq.i`)."""
    return f"w{job_id[1:]}.{call}" + (f".{skill_call}" if skill_call else "")


def child_id(job_id: str, call: int, item: int | None = None) -> str:
    """The id of the child job that a call starts; of one item for a map."""
    return f"{job_id}.{call}" if item is None else f"{job_id}.{call}.{item}"


def child_wait_id(job_id: str) -> str:
    """The id of the wait for a child job that is not an item of a map."""
    return f"w{job_id[1:]}"
