"""A call that a recipe made: what it is, how it is done, how its record is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lampwork import values
from lampwork.types import CallKind

if TYPE_CHECKING:
    from lampwork.runs.run import Run

T = TypeVar("T")

_IDENTITY: dict[CallKind, str] = {
    "task": "other instructions, another conversation or another output type",
    "map": "another number of items",
    "endpoint": "another body",
}
"""What a call's digest is of, beside its kind and name, for those that have one."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A call that a recipe made: its number, what it is, how it is done and how it is read."""

    number: int
    """Its place in the job's order of calls, from 1."""
    kind: CallKind
    name: str
    body: Callable[[Run, int], Awaitable[values.Outcome | values.Recorded]]
    """Does it, in the run that records it, under its number."""
    annotation: Any
    read: Callable[[Any], Any] | None = None
    digest: str = ""
    opens: bool = False
    """Whether it is written down before it begins, because a change of code must find it."""
    line: str | None = None
    """The conversation, or the events, that it gets in line for: calls side by side in their order.
    """

    @property
    def label(self) -> str:
        """How its record names it."""
        return f"{self.kind} {self.name}"

    def differs_from(self, begun: str) -> str:
        """Why a job whose call at this number was begun as something else can't go on."""
        now, mend = f"call {self.number} is `{self.label}` now", "Bring the old order of calls back"
        if begun == self.label:
            now, mend = f"{now} with {_IDENTITY[self.kind]}", "Bring back what it was"
        return (
            f"{now}, but was begun as `{begun}`: the recipe's code has changed under this job. "
            f"{mend}, or cancel the job."
        )
