"""Who hears what genies say while they say it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from lampwork.models.ask import TextDelta

__all__ = ["Texts"]

Listener = Callable[[TextDelta], object]


class Texts:
    """The listeners of a process, each called on the event loop that it listens from."""

    def __init__(self) -> None:
        self._listeners: dict[object, tuple[asyncio.AbstractEventLoop, Listener]] = {}

    @property
    def tell(self) -> Callable[[TextDelta], None] | None:
        """Tell everybody; None when nobody listens, so that nothing needs to be streamed."""
        return self._tell if self._listeners else None

    @contextmanager
    def heard_by(self, listener: Listener) -> Generator[None]:
        """Let it hear what is said during the block."""
        key = object()
        self._listeners[key] = asyncio.get_running_loop(), listener
        try:
            yield
        finally:
            del self._listeners[key]

    def _tell(self, delta: TextDelta) -> None:
        for loop, listener in tuple(self._listeners.values()):
            with suppress(RuntimeError):  # its loop has been closed
                loop.call_soon_threadsafe(listener, delta)
