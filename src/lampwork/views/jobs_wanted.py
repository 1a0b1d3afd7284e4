"""Which jobs somebody wants to see."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from lampwork.types import JobStatus, WaitKind


class JobsWanted(TypedDict, total=False):
    """What is wanted of jobs; what is left out, or None, does not matter."""

    status: JobStatus | None
    recipe: str | None
    waiting_on: WaitKind | None
    """The kind of something that they wait for themselves."""
    genie: str | None
    """That has a task of theirs."""
    metadata: str | None
    """A key that a task of theirs has; or `key=value`, the value as text."""
    text: str | None
    """That their id begins with, or their input or a task's instructions have somewhere."""
    since: datetime | None
    """Accepted then or later."""
    until: datetime | None
    """Accepted before that."""
    roots: bool
    """Without jobs that others have started."""
    restored: bool
    """Those alone whose effects may have been done before a restore."""
