"""What the machines stand on: a real database, at a time that only they move."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from lampwork import Settings, clock
from lampwork.clock import Clock
from lampwork.place import Place
from lampwork.store.store import Store

T = TypeVar("T")

DEADLINE = 60.0

DEEPER = int(os.environ.get("LAMPWORK_DEEPER", "1"))
"""How many times as many examples are tried as in CI: other ones each time, if more than once."""


def tries(examples: int, steps: int) -> settings:
    """So many examples in CI, of so many steps at the most."""
    return settings(
        max_examples=examples * DEEPER,
        stateful_step_count=steps,
        derandomize=DEEPER == 1,
    )


def place_of(home: Path) -> Place:
    """Where a test keeps its state: in this folder, if its `place` is not a server."""
    return Settings(home=home, db=os.environ.get("LAMPWORK_DB")).place


class Still(Clock):
    """A clock that stands still until a rule moves it."""

    may_jump = False

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def now(self) -> float:
        return self.at


class Ground:
    """One database for all examples of a test: each has ids of its own in it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._runner = asyncio.Runner()
        self.store = Store(place)
        self.clock = Still()
        self.examples = 0

    def play(self, machine: Callable[[Ground], RuleBasedStateMachine], tries: settings) -> None:
        """Try the machine's rules in many orders; fails with the shortest that breaks it."""
        with clock.using(self.clock):
            run_state_machine_as_test(lambda: machine(self), settings=tries)

    def example(self) -> str:
        """What the ids of a new example begin with."""
        self.examples += 1
        return f"j{self.examples:05}"

    def write(self, change: Callable[..., T], *what: Any, **how: Any) -> T:
        return self.store.submit(change, *what, **how).result(DEADLINE)

    def read(self, query: Callable[..., T], *what: Any) -> T:
        return self._runner.run(self.store.read(query, *what))

    def rows(self, *queries: sa.Select[Any]) -> list[list[tuple[Any, ...]]]:
        """What each of the queries finds, all at one moment."""
        return self.read(
            lambda connection: [
                [tuple(row) for row in connection.execute(query)] for query in queries
            ]
        )

    def crash(self) -> None:
        """What was in memory alone is gone."""
        self.store.close()
        self.store = Store(self._place)

    def close(self) -> None:
        self.store.close()
        self._runner.close()
