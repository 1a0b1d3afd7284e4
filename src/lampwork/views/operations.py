"""How the whole is doing, as it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from lampwork.views.jobs import JobView
from lampwork.views.workers import Liveness


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What the model calls of a genie with one model have used."""

    project: str
    genie: str
    model: str | None
    """None: of calls that brought no reply."""
    usage: dict[str, int]
    """As in a task's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendOfDay(Spend):
    """What they have used on one day."""

    day: date
    """In UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How often something was done, and how long it took, in seconds."""

    count: int
    mean: float | None
    p50: float | None
    """To the next of the fixed bounds, see `lampwork.counters.BOUNDS`."""
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What a process that executes has counted since it began."""

    executor: str
    pid: int
    project: str
    state: Liveness
    started_at: datetime
    closed_at: datetime | None
    counted_at: datetime
    """When it wrote this down; some seconds ago, or when it last had something to write."""
    jobs_ended: dict[str, int]
    """By status."""
    appends: int
    """Writes to conversations."""
    changes: int
    """Writes in all; those of many jobs share a commit."""
    changes_refused: int
    commits: Timing
    model_calls: Timing
    model_tries_again: int
    model_failures: int
    skill_calls: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """How the whole is doing."""

    at: datetime
    jobs: dict[str, int]
    """By status, each of them."""
    oldest_queued_at: datetime | None
    """When the job was accepted that has been queued for the longest."""
    tasks: dict[str, int]
    """Those that have not ended: `working`, `waiting`."""
    attention: tuple[JobView, ...]
    """The newest of the jobs that need a person."""
    since: datetime
    """From when on is counted what was spent."""
    spend: tuple[Spend, ...]
    processes: tuple[Process, ...]
    """That execute, or have executed in that time."""
