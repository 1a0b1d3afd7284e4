"""An orchestration: what was planned, who has tried what, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lampwork.types import Json
from lampwork.views.jobs import ErrorView, FileView, WaitingOn

__all__ = [
    "AttemptView",
    "FieldChange",
    "OrchestrationView",
    "PlanApproval",
    "PlanEdit",
    "RoundView",
    "SubtaskChange",
    "SubtaskOrder",
    "SubtaskView",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One try of one agent at a subtask."""

    agent: str
    why: Literal["first", "asked_again", "retried", "fallback", "chosen", "refused", "by_hand"]
    """`refused`: it could not be given the subtask at all; `by_hand`: a person has ordered it."""
    status: Literal[
        "working",
        "needs_attention",
        "judging",
        "accepted",
        "rejected",
        "failed",
        "stopped",
        "cancelled",
    ]
    """`rejected` by a check or the judge; `failed` without an answer; `stopped` by a person, who
    has had something else done; `needs_attention` as for a subtask."""
    reasons: tuple[str, ...]
    began_at: datetime | None
    ended_at: datetime | None
    task_id: str | None = None
    conversation_id: str | None = None
    stopped_by: str | None = None
    usage: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtaskOrder:
    """What a person has had done about a subtask."""

    verb: Literal["answer", "reassign", "retry", "skip"]
    by: str
    at: datetime
    reason: str
    agent: str | None
    """To whom it was reassigned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtaskView:
    """A subtask of the plan as it is now."""

    subtask: str
    title: str
    agent: str
    brief: str
    depends_on: tuple[str, ...]
    """What its inputs are of, and what it waits for besides."""
    required: bool
    status: Literal[
        "waiting", "working", "needs_attention", "succeeded", "failed", "skipped", "cancelled"
    ]
    """`skipped`: something that it needs has failed, or a person has said so. `needs_attention`:
    it can't go on until a person has said what became of an effect, or has mended its job; which,
    is in the orchestration's `waiting_on`."""
    orders: tuple[SubtaskOrder, ...]
    reasons: tuple[str, ...]
    attempts: tuple[AttemptView, ...]
    usage: dict[str, int]
    """Of all attempts, and of the judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field of a subtask that is another one now; None where there was or is nothing."""

    field: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtaskChange:
    """What has become of a subtask from one plan to the next."""

    subtask: str
    change: Literal["added", "changed", "dropped"]
    fields: tuple[FieldChange, ...]
    """Of one that is changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEdit:
    """A person's edit of a plan that waited to be approved."""

    by: str
    at: datetime
    reason: str
    changes: tuple[SubtaskChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanApproval:
    """What people have said of a plan before anything of it ran."""

    status: Literal["waiting", "approved", "rejected", "withdrawn"]
    """`withdrawn`: it was cancelled before anybody had decided."""
    digest: str
    """Of what is proposed now: a decision is for that."""
    why: str | None
    """Why it was asked for, where that was not to be expected."""
    by: str | None = None
    at: datetime | None = None
    reason: str = ""
    edits: tuple[PlanEdit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundView:
    """A plan that was carried out, a revision of it, or a choice."""

    verb: str
    """`plan`, `revise` or `delegate`."""
    job_id: str
    status: str
    """Of its job. A `failed` one was refused, and has changed nothing."""
    reason: str | None
    error: ErrorView | None
    created_at: datetime
    ended_at: datetime | None
    changes: tuple[SubtaskChange, ...] = ()
    """To the plan before it."""
    approval: PlanApproval | None = None
    chosen: dict[str, str]
    """By subtask, the agent that the orchestrator has chosen."""
    plan: tuple[dict[str, Json], ...]
    """The subtasks as they were planned in this round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestrationView:
    """The ledger of an orchestration: of one task of an orchestrator."""

    orchestration_id: str
    """The task's id."""
    orchestrator: str
    status: str
    """Of its task; `needs_attention` once nothing in it goes on without a person."""
    waiting_on: tuple[WaitingOn, ...]
    """What it waits for, down through its rounds to the person or the clock, as for a job."""
    job_id: str
    conversation_id: str
    instructions: str
    created_at: datetime
    ended_at: datetime | None
    rounds: tuple[RoundView, ...]
    subtasks: tuple[SubtaskView, ...]
    error: ErrorView | None
    usage: dict[str, int]
    """Of the orchestrator itself and all attempts."""
    artifacts: tuple[FileView, ...] = ()
    """Of the orchestration as a whole: its report."""
