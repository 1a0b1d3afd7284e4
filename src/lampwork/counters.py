"""What a process counts while it executes: cheap enough to be always on.

Times go into fixed buckets. Everything is counted since the process began.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from lampwork.types import Json

__all__ = ["BOUNDS", "Commits", "Times", "Work"]

BOUNDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0),
)
"""Seconds: the buckets hold what took at most that long, and one more what took longer."""


@dataclass(slots=True)
class Times:
    """How often something was done, and how long it took."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    """How often it took so long, by bucket."""
    seconds: float = 0.0
    """In all."""

    def took(self, seconds: float) -> None:
        """Count it once more."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    @property
    def count(self) -> int:
        """How often."""
        return sum(self.buckets)

    def within(self, share: float) -> float | None:
        """Seconds within which this share of them was done, to the bucket's bound; None of none.

        What took longer than the last bound is said to have taken that.
        """
        passed, wanted = 0, share * self.count
        for number, bound in zip(self.buckets, (*BOUNDS, BOUNDS[-1]), strict=True):
            passed += number
            if number and passed >= wanted:
                return bound
        return None

    def to_json(self) -> dict[str, Json]:
        """For a row."""
        return {"buckets": list(self.buckets), "seconds": round(self.seconds, 6)}

    @classmethod
    def of(cls, recorded: dict[str, Json]) -> Times:
        """What a row says."""
        return cls(recorded["buckets"], recorded["seconds"])


@dataclass(slots=True)
class Commits:
    """What a store's writer has done."""

    times: Times = field(default_factory=Times)
    """One commit each, with the changes of all who waited for it."""
    changes: int = 0
    """In all of them; so many changes share one commit as this is more than commits."""
    refused: int = 0
    """Changes that the database did not take."""


@dataclass(slots=True)
class Work:
    """What an executing process has done."""

    appends: int = 0
    """Writes to conversations, each of one entry or more."""
    model_calls: Times = field(default_factory=Times)
    """One per reply or failure, with all its tries."""
    model_tries_again: int = 0
    """Tries after the first one of a call."""
    model_failures: int = 0
    """Calls that brought no reply."""
    skill_calls: Times = field(default_factory=Times)
    """One per attempt of a skill's function."""
    jobs: dict[str, int] = field(default_factory=dict[str, int])
    """Jobs that have ended here, by how."""

    def called_model(self, seconds: float, *, tries: int, replied: bool) -> None:
        """Count a call of a model."""
        self.model_calls.took(seconds)
        self.model_tries_again += max(0, tries - 1)
        self.model_failures += not replied

    def ended(self, status: str) -> None:
        """Count a job that has ended."""
        self.jobs[status] = self.jobs.get(status, 0) + 1

    def to_json(self, commits: Commits) -> dict[str, Json]:
        """For a row, with what the store has done."""
        return {
            "appends": self.appends,
            "commits": commits.times.to_json(),
            "changes": commits.changes,
            "changes_refused": commits.refused,
            "model_calls": self.model_calls.to_json(),
            "model_tries_again": self.model_tries_again,
            "model_failures": self.model_failures,
            "skill_calls": self.skill_calls.to_json(),
            "jobs_ended": dict(self.jobs),
        }
