"""What a crash test has found, boundary by boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lampwork.failpoint import POINTS
from lampwork.testing.crash.boundary import Boundary

__all__ = ["Crash", "CrashReport"]


@dataclass(frozen=True, slots=True)
class Crash:
    """What came of killing the process at one boundary."""

    boundary: Boundary
    reached: bool
    """False if the job went another way this time, and nothing was killed."""
    lives: int
    repeated: int
    """Steps and skill calls that were started again, as `read` and `idempotent` ones may be."""
    asked: tuple[str, ...]
    """Unknown outcomes that a person had to resolve."""
    problems: tuple[str, ...]
    seconds: float

    @property
    def survived(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return not self.problems

    @property
    def words(self) -> str:
        """What is to be said of it, on one line."""
        if self.problems:
            return "FAILED"
        if not self.reached:
            return "not reached this time"
        notes = [f"asked a person about {', '.join(self.asked)}"] if self.asked else []
        notes += [f"{self.repeated} started again"] if self.repeated else []
        return "; ".join(["survived", *notes])


@dataclass(frozen=True, slots=True)
class CrashReport:
    """What a crash test of a recipe has found; `str()` of it is a table."""

    recipe: str
    boundaries: int
    """How many the recorded run came to."""
    crashes: Sequence[Crash]

    @property
    def failed(self) -> list[Crash]:
        """Those that were not survived."""
        return [each for each in self.crashes if not each.survived]

    def __str__(self) -> str:
        width = max((len(str(each.boundary)) for each in self.crashes), default=0)
        rows = [
            f"  {each.boundary!s:<{width}}  {each.words}" + _problems(each) for each in self.crashes
        ]
        return "\n".join([self.summary, *rows])

    @property
    def summary(self) -> str:
        """On one line."""
        killed = sum(each.reached for each in self.crashes)
        failed = len(self.failed)
        came = f"{failed} FAILED" if failed else "all survived"
        return (
            f"Crash test of {self.recipe}: killed at {killed} of {self.boundaries} boundaries, "
            f"{came}."
        )

    @property
    def failures(self) -> str:
        """What was not survived, and how each is repeated."""
        told: list[str] = []
        for each in self.failed:
            again = f'testing.crash_everywhere({self.recipe}, …, only="{each.boundary}")'
            where = f"{each.boundary}, where {POINTS[each.boundary.point]}:"
            told.append(f"  {where}{_problems(each)}\n      again: {again}")
        return "\n".join([self.summary, *told])


def _problems(crash: Crash) -> str:
    return "".join(f"\n      {each}" for each in crash.problems)
