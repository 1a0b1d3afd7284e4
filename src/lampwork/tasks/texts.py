"""Who hears what genies say while they say it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from lampwork.models.ask import TextDelta
from lampwork.threads import call_soon

__all__ = ["TextDelta", "Texts"]

Listener = Callable[[TextDelta], object]


@dataclass(frozen=True, slots=True)
class _Listening:
    loop: asyncio.AbstractEventLoop
    listener: Listener
    conversation: str | None
    """The only one that it hears."""

    def hears(self, conversation: str) -> bool:
        return self.conversation is None or self.conversation == conversation


class Texts:
    """The listeners of a process, each called on the event loop that it listens from."""

    def __init__(self) -> None:
        self._listeners: dict[object, _Listening] = {}

    def told_of(self, conversation: str) -> Callable[[TextDelta], None] | None:
        """Tells those who hear a conversation; None if nobody does, so that nothing needs to be
        streamed."""
        if not any(each.hears(conversation) for each in tuple(self._listeners.values())):
            return None
        return partial(self._tell, conversation)

    @contextmanager
    def heard_by(self, listener: Listener, conversation: str | None = None) -> Generator[None]:
        """Let it hear what is said during the block, in one conversation or anywhere."""
        key = object()
        self._listeners[key] = _Listening(asyncio.get_running_loop(), listener, conversation)
        try:
            yield
        finally:
            del self._listeners[key]

    def _tell(self, conversation: str, delta: TextDelta) -> None:
        for each in tuple(self._listeners.values()):
            if each.hears(conversation):
                call_soon(each.loop, each.listener, delta)
