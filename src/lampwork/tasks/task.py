"""A task in hand: all that its turns need, and the end that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lampwork.errors import (
    LampworkError,
)
from lampwork.genies.genie import Genie
from lampwork.genies.output import Output
from lampwork.genies.skill import Skill
from lampwork.metadata.scan import Scanner
from lampwork.metadata.seal import Seal
from lampwork.models.ask import LanguageModel
from lampwork.runs.deadline import Deadline
from lampwork.store.tasks.conversations import Entry
from lampwork.tasks.conversation import Hold
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.tasks.assignment import Assignment
    from lampwork.tasks.briefing import Briefing

__all__ = ["Ending", "TaskInHand", "failed"]


@dataclass(frozen=True, slots=True)
class TaskInHand:
    """A claimed task with everything that its turns need."""

    assignment: Assignment
    call: int
    hold: Hold
    model: LanguageModel
    briefing: Briefing
    metadata: dict[str, Json]
    skills: dict[str, Skill[..., Any]]
    """Those that this task may use."""
    scanner: Scanner
    seal: Seal
    deadline: Deadline

    @property
    def genie(self) -> Genie:
        """Who works."""
        return self.assignment.genie

    @property
    def output(self) -> Output | None:
        """The type of the answer; None is plain text."""
        return self.assignment.output


@dataclass(frozen=True, slots=True)
class Ending:
    """The last entries of a task, and the error that it ends with if it has no answer."""

    entries: Sequence[Entry]
    error: LampworkError | None = None


def failed(error: LampworkError) -> Entry:
    """The last entry of a task that ends with this error."""
    return ("failed", {"error": error.to_record()})
