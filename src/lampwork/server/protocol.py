"""HTTP/1.1 on a connection, by h11, with bounds on what comes before a body, and after its answer.

h11 takes 64 KiB of a head, and refuses to write a header that would end early; uvicorn would take
httptools in its place where that is installed, which does neither. And none of them minds for how
long a request is under way.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["RequestsInTime"]

_HEAD = 30.0
"""Seconds until the head of a request is there, from its first byte or the connection's begin."""

_REST = 5.0
"""Seconds that the rest of a body may still come in when its request has been answered."""


class RequestsInTime(H11Protocol):
    """Closes a connection on which a request does not come to its end in time.

    How long a body may take is the matter of who reads it, as long as somebody does.
    """

    _head_due: asyncio.TimerHandle | None = None
    _rest_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Go on with a request; one that has just begun is to have its head in time."""
        super().data_received(data)
        if not self._has_answered or self.conn.their_state is not h11.SEND_BODY:
            self._expect_no_rest()
        if self.conn.their_state is not h11.IDLE:
            self._expect_no_head()
        elif self._head_due is None:
            self._expect_head()

    def on_response_complete(self) -> None:
        """Wait for the next request, after the rest of this one, which nobody reads."""
        if self.conn.their_state is h11.SEND_BODY:
            self._rest_due = self.loop.call_later(_REST, self.transport.abort)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._expect_no_head()
        self._expect_no_rest()
        super().connection_lost(exc)

    @property
    def _has_answered(self) -> bool:
        return bool(self.cycle and self.cycle.response_complete)

    def _expect_head(self) -> None:
        self._head_due = self.loop.call_later(_HEAD, self.transport.abort)

    def _expect_no_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _expect_no_rest(self) -> None:
        if self._rest_due is not None:
            self._rest_due.cancel()
            self._rest_due = None
