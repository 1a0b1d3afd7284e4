"""Which jobs and conversations somebody wants to see."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from lampwork.types import JobStatus, TaskStatus, WaitKind


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


class ConversationsWanted(TypedDict, total=False):
    """What is wanted of conversations; what is left out, or None, does not matter."""

    genie: str | None
    """That has worked in them."""
    recipe: str | None
    """Whose jobs have assigned a task in them."""
    status: TaskStatus | None
    """Of the task that writes to them, or of their latest one."""
    waiting_on: WaitKind | None
    """The kind of something that a job with a task in them waits for itself."""
    metadata: str | None
    """A key that a task in them has; or `key=value`, the value as text."""
    text: str | None
    """That their id begins with, or the instructions of a task in them have somewhere."""
    since: datetime | None
    """Begun then or later."""
    until: datetime | None
    """Begun before that."""
