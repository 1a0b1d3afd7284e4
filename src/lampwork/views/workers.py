"""The processes that execute, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Liveness = Literal["alive", "gone", "closed"]
"""It executes; it was killed, or hangs, or can't reach the server; it has ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """A process that executes jobs, or did a short while ago."""

    worker: str
    """Its id."""
    project: str
    code: str
    """The version of the project's code."""
    host: str
    pid: int
    state: Liveness
    started_at: datetime
    seen_at: datetime | None
    """When its last heartbeat was, by the database's clock; None in a folder, which has a lock."""
    closed_at: datetime | None
    """When it ended, or others found it gone."""
    limited: bool
    """Whether it executes only what it was started for, as a verb with --wait does."""
    fires_triggers: bool
    """Whether it is the one that lets the project's triggers fire."""
    jobs: dict[str, int]
    """Those in its charge that have not ended, by status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """The process that executes jobs in a folder."""

    pid: int
    project: str | None
    """Whose jobs alone it executes; None of `lampwork dev` while it executes nothing."""
    limited: bool = False
    """Whether it executes only what it was started for, as a verb with --wait does."""

    def executes_all_of(self, project: str) -> bool:
        """Whether every job of a project is executed by it."""
        return self.project == project and not self.limited
