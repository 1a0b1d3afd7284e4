"""What genies are just saying, told to readers of their conversations while it is said.

Passing guests: the transcript has it all when the reply is on record. Of each conversation that
is followed the reply under way is kept once, and each reader takes what it has not yet from it,
when it can: a slow one holds nobody up, and costs no memory.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from lampwork.tasks.texts import TextDelta, Texts

__all__ = ["Deltas", "Following"]

_GATHERED = 0.05
"""Seconds in which what is said is gathered."""

_Place = tuple[str, int, int]
"""A task, the number of the entry that its reply will be, and the attempt."""


@dataclass(slots=True)
class _Reply:
    """A reply as far as it was heard."""

    place: _Place
    text: str = ""


@dataclass(eq=False, slots=True)
class Following:
    """What one reader follows, and what it was told of it."""

    conversations: frozenset[str]
    told: dict[str, tuple[_Place, int]] = field(default_factory=dict[str, tuple[_Place, int]])
    """By conversation, how much of which reply."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Deltas:
    """What is said in the conversations that readers follow. One for a server."""

    def __init__(self, texts: Texts | None) -> None:
        """Without `texts`, nothing is said in this process."""
        self._texts = texts
        self._replies: dict[str, _Reply] = {}
        self._readers: dict[str, set[Following]] = defaultdict(set)
        self._heard: dict[str, ExitStack] = {}
        self._new: set[str] = set()

    @contextmanager
    def following(self, conversations: frozenset[str]) -> Generator[Following]:
        """A reader of these."""
        reader = Following(conversations)
        for each in conversations:
            self._readers[each].add(reader)
            self._listen(each)
        try:
            yield reader
        finally:
            for each in conversations:
                self._readers[each].discard(reader)
                if not self._readers[each]:
                    self._forget(each)

    def untold(self, reader: Following) -> bytes:
        """What a reader has not yet, as Server-Sent Events."""
        reader.woken.clear()
        return b"".join(self._events(reader))

    def _events(self, reader: Following) -> Iterator[bytes]:
        for conversation in reader.conversations:
            if (reply := self._replies.get(conversation)) is None:
                continue
            place, at = reader.told.get(conversation, (None, 0))
            if place != reply.place:
                at = 0
            if at == len(reply.text):
                continue
            reader.told[conversation] = reply.place, len(reply.text)
            task, entry, attempt = reply.place
            data = {"id": conversation, "task": task, "entry": entry, "attempt": attempt}
            written = json.dumps(data | {"at": at, "text": reply.text[at:]})
            yield f"event: delta\ndata: {written}\n\n".encode()

    def _listen(self, conversation: str) -> None:
        if conversation not in self._heard and self._texts is not None:
            self._heard[conversation] = ExitStack()
            hear = partial(self._hear, conversation)
            self._heard[conversation].enter_context(self._texts.heard_by(hear, conversation))

    def _forget(self, conversation: str) -> None:
        del self._readers[conversation]
        self._replies.pop(conversation, None)
        if (heard := self._heard.pop(conversation, None)) is not None:
            heard.close()

    def _hear(self, conversation: str, delta: TextDelta) -> None:
        if conversation not in self._heard:
            return  # it was said before the last reader went
        place = delta.task_id, delta.number, delta.attempt
        reply = self._replies.get(conversation)
        if reply is None or reply.place != place:
            reply = self._replies[conversation] = _Reply(place)
        reply.text += delta.text
        if not self._new:
            asyncio.get_running_loop().call_later(_GATHERED, self._wake)
        self._new.add(conversation)

    def _wake(self) -> None:
        for conversation in self._new:
            for reader in self._readers.get(conversation, ()):
                reader.woken.set()
        self._new.clear()
