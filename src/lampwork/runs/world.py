"""The world as a job records it: time and chance, the same on every replay."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lampwork import clock, values
from lampwork.runs.gather import JobCall, MakesCalls

if TYPE_CHECKING:
    from lampwork.runs.run import Run

__all__ = ["World"]


class World(MakesCalls):
    """What a job has for asking the time, and for chance."""

    def now(self) -> JobCall[datetime]:
        """The time, in UTC, the same on every replay."""
        return self._value("now", datetime, lambda: datetime.fromtimestamp(clock.now(), UTC))

    def uuid(self) -> JobCall[uuid.UUID]:
        """A random UUID, the same on every replay."""
        return self._value("uuid", uuid.UUID, uuid.uuid4)

    def random(self) -> JobCall[float]:
        """A random number from 0 to 1, the same on every replay."""
        return self._value("random", float, random.random)

    def _value(self, name: str, annotation: Any, make: Callable[[], Any]) -> JobCall[Any]:
        async def body(_run: Run, _number: int) -> values.Outcome:
            return values.Value(values.encode(make(), annotation, name))

        return self._call("value", name, body, annotation=annotation)
