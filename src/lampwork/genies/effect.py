"""What may be repeated: the three effects, and what a reconciler can say about an unknown outcome.

`read` is safe to repeat, `idempotent` is repeated with the same key, `at_most_once` is never
repeated by us: when nobody knows whether it happened, its reconciler is asked, else a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from lampwork.types import Effect

__all__ = ["DidNotHappen", "Effect", "Happened", "Reconciliation", "StillUnknown"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Happened(Generic[T_co]):
    """The effect took place; `value` is what the call would have returned."""

    value: T_co


@dataclass(frozen=True, slots=True)
class DidNotHappen:
    """The effect did not take place: it is safe to do it, with the same key."""


@dataclass(frozen=True, slots=True)
class StillUnknown:
    """Nobody can tell; a person is asked."""

    why: str = ""


Reconciliation = Happened[T_co] | DidNotHappen | StillUnknown
