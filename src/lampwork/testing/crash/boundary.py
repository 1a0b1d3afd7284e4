"""Boundaries that a recipe comes to, and which of them are tried."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lampwork.errors import InputInvalid
from lampwork.testing.failing import check_point

__all__ = ["Boundary", "chosen"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """The `nth` time that a job comes to a point: `skill.after_effect#2`."""

    point: str
    nth: int

    def __str__(self) -> str:
        return f"{self.point}#{self.nth}"

    @classmethod
    def parse(cls, text: str) -> Boundary:
        """The boundary of that name; without a number, the first one. Raises InputInvalid."""
        matched = re.fullmatch(r"([\w.]+)(?:#([1-9]\d*))?", text)
        if matched is None:
            raise InputInvalid(f'{text!r} is no boundary. Name one as in "skill.after_effect#2".')
        check_point(matched[1])
        return cls(matched[1], int(matched[2] or 1))


def chosen(
    hits: Counter[str], *, only: str | None, at_most: int | None, seed: int
) -> Sequence[Boundary]:
    """All boundaries of a recorded run, the one that is named, or a sample of so many.

    A sample has the first time at each point before it has any second time. Raises InputInvalid.
    """
    if only is not None:
        return [Boundary.parse(only)]
    every = [Boundary(point, nth) for point in hits for nth in range(1, hits[point] + 1)]
    if at_most is None or len(every) <= at_most:
        return every
    order = random.Random(seed)
    ranked = sorted(every, key=lambda each: (each.nth > 1, order.random()))
    kept = set(ranked[:at_most])
    return [each for each in every if each in kept]
