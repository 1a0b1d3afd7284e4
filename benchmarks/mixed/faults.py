"""What befalls a mixed load, foretold by a seed: when, what, and whom."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.mixed.ground import Database
from lampwork.failpoint import POINTS

Kind = Literal["kill", "freeze", "drain", "cut", "stop fast", "stop immediate"]

WEIGHTS: dict[Database, dict[Kind, int]] = {
    "sqlite": {"kill": 80, "freeze": 10, "drain": 10},
    "postgres": {
        "kill": 60,
        "freeze": 14,
        "drain": 10,
        "cut": 10,
        "stop fast": 3,
        "stop immediate": 3,
    },
}

LONGEST_FREEZE: dict[Database, float] = {"sqlite": 2.0, "postgres": 12.0}
"""Seconds; where another worker can take over, long enough for that."""

HEARTBEATS = (1.0, 3.0)
"""Seconds between those of a worker of several: short, for it does not live long, and who takes its
jobs over must live long enough to see it gone."""

ARMED = 0.3
"""The share of lives that are to kill themselves at a failpoint."""


@dataclass(frozen=True)
class Fault:
    after: float
    """Seconds since the one before."""
    kind: Kind
    slot: int
    """Of which worker."""
    seconds: float
    """For which it is frozen, or the database is away."""
    share: float
    """Of the connections that are cut."""


@dataclass(frozen=True)
class Birth:
    """How a worker's life begins."""

    settings: dict[str, Any]
    failpoints: str


def faults(seed: int, database: Database, workers: int, longest: float) -> Iterator[Fault]:
    """The same ones, in the same order, for the same arguments."""
    chance = random.Random(f"{seed} faults")
    weights = WEIGHTS[database]
    while True:
        kind = chance.choices(list(weights), list(weights.values()))[0]
        longest_away = LONGEST_FREEZE[database] if kind == "freeze" else 3.0
        yield Fault(
            after=chance.uniform(0, longest),
            kind=kind,
            slot=chance.randrange(workers),
            seconds=chance.uniform(0, longest_away),
            share=chance.choice((0.2, 0.5, 1.0)),
        )


def birth(seed: int, number: int) -> Birth:
    """How the worker of that number begins its life."""
    chance = random.Random(f"{seed} life {number}")
    settings = {
        "park_after": chance.choice((0.0, 0.05, 0.2, 30.0)),
        "max_live": chance.choice((8, 1000)),
        "sweep_interval": chance.choice((0.3, 5.0)),
    }
    point, nth = chance.choice(sorted(POINTS)), chance.randint(1, 20)
    armed = chance.random() < ARMED
    settings["heartbeat"] = chance.choice(HEARTBEATS)
    return Birth(settings, f"{point}=kill@{nth}" if armed else "")
