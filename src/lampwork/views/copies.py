"""What a copy of a job would keep and do again, as it is shown before anything does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lampwork.types import CopyKind, Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectCount:
    """What a function has done, or may have, how often."""

    what: str
    """`step charge`, `skill pay`."""
    effect: Effect
    """Of a step only `at_most_once` is on record; any other one is shown as `idempotent`."""
    happened: int = 0
    failed: int = 0
    """It raised; nobody knows how far it came."""
    unknown: int = 0
    """It had begun, and has no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A call that the original has made."""

    number: int
    """0 for what runs after the end."""
    kind: str
    name: str
    came_of: Literal["succeeded", "failed", "open", "unknown"]
    """In the original: `open` if it had not ended, `unknown` if nobody knows whether it did."""
    jobs: int = 0
    """Jobs that it had started, all of which are started anew."""
    jobs_succeeded: int = 0
    effects: tuple[EffectCount, ...] = ()
    """What it did, its task's skills and the jobs below it; for a call that is kept, nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCopy:
    """A copy that was made before."""

    job_id: str
    kind: CopyKind
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlan:
    """What a copy keeps of its original, and what happens again."""

    kind: CopyKind
    original: str
    recipe: str
    status: str
    """The original's."""
    at: int | None
    kept: tuple[PlannedCall, ...]
    """Recorded calls whose results it gets."""
    again: tuple[PlannedCall, ...]
    """Calls that the original has made and that are not kept: they are made anew, under new keys,
    as far as the recipe comes to them."""
    copies: tuple[EarlierCopy, ...]
    events: tuple[int, ...]
    """The inbox rows of events that the original had got and not used: they go along."""
    notes: tuple[str, ...]

    @property
    def repeated(self) -> tuple[EffectCount, ...]:
        """The effects that have happened, or may have, and would again: `at_most_once` first."""
        found = [each for call in self.again for each in call.effects if each.effect != "read"]
        return tuple(sorted(summed(found), key=lambda each: each.effect != "at_most_once"))


def summed(effects: Iterable[EffectCount]) -> list[EffectCount]:
    """What is the same, counted together."""
    counts: dict[tuple[str, Effect], list[EffectCount]] = defaultdict(list)
    for each in effects:
        counts[each.what, each.effect].append(each)
    return [
        EffectCount(
            what=what,
            effect=effect,
            happened=sum(each.happened for each in same),
            failed=sum(each.failed for each in same),
            unknown=sum(each.unknown for each in same),
        )
        for (what, effect), same in counts.items()
    ]
