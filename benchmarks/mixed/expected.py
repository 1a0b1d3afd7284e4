"""What job `number` of the mixed load is, what it must give, and what it must leave behind."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.mixed.project import BULK, ITEMS

KINDS = {
    "errand": 4,
    "spread": 3,
    "patient": 4,
    "crowd": 4,
    "delegated": 3,
    "chat": 3,
    "assigned": 1,
    "doomed": 3,
    "flawed": 2,
    "bulky": 1,
}
"""How often each comes."""

WAITING_FOR_GO = ("patient", "crowd")

_POSTED = ("left", "right", "later")
_SENT_ONCE = ("wire", "cheque")


@dataclass(frozen=True)
class Expected:
    value: str | None
    """What it gives, or its retry; a task's response. Nothing if it is cancelled."""
    effects: dict[str, str] = field(default_factory=dict)
    """Names and kinds; of one that is cancelled, those that there may be."""
    how: Literal["succeeds", "is cancelled", "is retried"] = "succeeds"


def kind_of(number: int) -> str:
    return random.Random(number).choices(list(KINDS), list(KINDS.values()))[0]


def cancelled_after(number: int) -> float:
    """Seconds after which a doomed job is cancelled."""
    return random.Random(number).uniform(0, 6)


def expected(number: int) -> Expected:
    once = dict.fromkeys([f"{number}/letter"], "at_most_once")
    note = {f"{number}/note": "idempotent"}
    match kind_of(number):
        case "errand":
            return Expected(f"{number}: done", _of_errand(number))
        case "delegated":
            return Expected(f"{number}: delegated", _of_bookkeeper(number))
        case "spread":
            return Expected(f"{number}: {ITEMS}", _of_spread(number))
        case "patient":
            return Expected(f"{number}: {number}, {number}: done", _of_errand(number) | once)
        case "crowd":
            pages = [f"{number}/{what}" for what in ("first", "left", "right", "closed")]
            stamp = {f"{number}/stamp": "at_most_once"}
            value = f"{number}: {number}, receipt of {number}/letter, jotted, jotted"
            return Expected(value, dict.fromkeys(pages, "idempotent") | once | stamp)
        case "chat":
            return Expected("served", {f"{number}/payout": "at_most_once"})
        case "assigned":
            return Expected("jotted", {f"{number}/only": "idempotent"})
        case "doomed":
            closed = {f"{number}/closed": "idempotent"}
            effects = _of_errand(number) | _of_spread(number) | closed
            return Expected(None, effects, "is cancelled")
        case "flawed":
            effects = once | note | {f"{number}/charge": "idempotent"}
            return Expected(f"{number}: receipt of {number}/note", effects, "is retried")
        case _:
            return Expected(f"{BULK} of {number}", note)


def _of_bookkeeper(number: int) -> dict[str, str]:
    posted = {f"{number}/{what}": "idempotent" for what in _POSTED}
    return posted | {f"{number}/{what}": "at_most_once" for what in _SENT_ONCE}


def _of_errand(number: int) -> dict[str, str]:
    around = {f"{number}/{what}": "idempotent" for what in ("charge", "note")}
    return _of_bookkeeper(number) | around


def _of_spread(number: int) -> dict[str, str]:
    ends = ("left", "right", "end")
    places = [f"{number}/{item}/{end}" for item in range(ITEMS) for end in ends]
    return dict.fromkeys(places, "idempotent")
