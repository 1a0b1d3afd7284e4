"""What time it is by the clock of a database server, which all its processes go by."""

from __future__ import annotations

import time
from collections.abc import Callable

from lampwork import clock

QUERY = "select extract(epoch from clock_timestamp())::float8"

_EVERY = 10.0
"""Seconds between two measurements: two machines' clocks come apart by some 0.1 ms meanwhile."""


class ServerTime:
    """Lets this process's clock follow the server's."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        self._measured_at = -_EVERY

    def measure(self, ask: Callable[[], float]) -> None:
        """Ask the server what time it is, if it has not been asked lately.

        Its answer is of some moment between the question and its arrival. As long as what was
        known agrees with that, the clock is left alone.
        """
        asked = time.monotonic()
        if asked - self._measured_at < _EVERY:
            return
        answer = ask()
        self._measured_at = time.monotonic()
        latest, earliest = answer - asked, answer - self._measured_at
        if self._ahead is None or not earliest <= self._ahead <= latest:
            self._ahead = (earliest + latest) / 2
            clock.follow(self, self._ahead)

    def close(self) -> None:
        """Go by the machine's clock again."""
        clock.unfollow(self)
