"""HTTP/1.1 on a connection, by h11, with bounds on what comes before a body.

h11 takes 64 KiB of it, and refuses to write a header that would end early; uvicorn would take
httptools in its place where that is installed, which does neither. And none of them minds for how
long a request is under way.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HeadsInTime"]

_HEAD = 30.0
"""Seconds until the head of a request is there, from its first byte or the connection's begin."""


class HeadsInTime(H11Protocol):
    """Closes a connection on which the head of a request does not come to its end in time."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Go on with a request; one that has just begun is to have its head in time."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_expecting()
        elif self._due is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_expecting()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._due = self.loop.call_later(_HEAD, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
