"""For how long a project keeps what has ended: `Project("shop", retention=Retention(jobs="90d"))`.

Without one nothing is deleted by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from lampwork import faults
from lampwork.errors import RetentionInvalid

__all__ = ["Retention", "seconds_of"]

Age = str | timedelta
"""A length of time: `90d`, `12h`, or a timedelta. Units: s, m, h, d, w, y (of 365 days)."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}

_SHORTEST = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is deleted by itself, and how long after its end.

    >>> project = Project("shop", retention=Retention(jobs="90d", conversations="1y"))

    Where a worker executes, it looks every so often, and deletes as `lampwork prune` does. Raises
    RetentionInvalid.
    """

    jobs: Age
    """After the end of all jobs of a tree and of its copies: the jobs with their calls, waits,
    logs, files and the engine's records."""
    conversations: Age | None = None
    """After the last word in it: a conversation with its tasks, artifacts and files. Without it
    they go with the jobs; they can't go before them."""
    every: Age = "1h"
    """How often it is looked for what has become old enough."""

    def __post_init__(self) -> None:
        with faults.judged():
            self._check()

    def _check(self) -> None:
        jobs = self._checked("jobs")
        if self.conversations is not None and self._checked("conversations") < jobs:
            raise RetentionInvalid(
                f"conversations={self.conversations!r} is shorter than jobs={self.jobs!r}, and a "
                "job's record holds what was said for it. Keep conversations as long as jobs, or "
                "longer."
            )
        self._checked("every")

    def _checked(self, name: str) -> float:
        given = getattr(self, name)
        if (seconds := seconds_of(given)) is None:
            raise RetentionInvalid(
                f'{name}={given!r} is no length of time such as "90d", "12h" or a timedelta.'
            )
        if seconds < _SHORTEST:
            raise RetentionInvalid(f"{name}={given!r} is less than a minute. Give more.")
        return seconds

    @property
    def of_jobs(self) -> float:
        """Seconds."""
        return cast(float, seconds_of(self.jobs))

    @property
    def of_conversations(self) -> float:
        """Seconds."""
        kept = self.jobs if self.conversations is None else self.conversations
        return cast(float, seconds_of(kept))

    @property
    def interval(self) -> float:
        """Seconds between two looks."""
        return cast(float, seconds_of(self.every))


def seconds_of(age: Any) -> float | None:
    """The seconds of a length of time; None of what is none."""
    if isinstance(age, timedelta):
        return age.total_seconds()
    if isinstance(age, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdwy])", age)):
        return float(found[1]) * _SECONDS[found[2]]
    return None
