"""Live hints: the server says what has changed, and one fetches it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass, fields
from typing import Literal, get_args

import httpx

from lampwork.client.connection import Connection
from lampwork.errors import ServerUnreachable

__all__ = ["Delta", "Hint", "follow"]

Kind = Literal["everything", "job", "conversation", "orchestration"]

_KINDS: dict[str, Kind] = {each: each for each in get_args(Kind)}


@dataclass(frozen=True, slots=True)
class Hint:
    """What to fetch anew: `everything` at first and after each gap, else a job, a conversation or
    an orchestration."""

    kind: Kind
    id: str | None = None
    version: int | None = None

    def is_about(self, id: str) -> bool:
        """Whether it may be that this one has changed."""
        return self.id is None or self.id == id


@dataclass(frozen=True, slots=True)
class Delta:
    """What a genie has just said in a conversation. It passes by: the transcript has it all when
    the reply, entry number `entry`, is there."""

    id: str
    """The conversation's."""
    task: str
    entry: int
    attempt: int
    """A further one begins the reply anew."""
    at: int
    """Where in the reply the text belongs."""
    text: str

    def is_about(self, id: str) -> bool:
        """As of a hint."""
        return self.id == id


async def follow(
    connection: Connection,
    jobs: Collection[str] | None,
    conversations: Collection[str],
    orchestrations: Collection[str],
    deltas: Collection[str],
) -> AsyncGenerator[Hint | Delta]:
    """Hints without an end, and deltas; a connection that breaks off is made anew.

    Raises what the server refuses; ServerUnreachable once it was away for longer than patience.
    """
    followed = {
        "jobs": jobs,
        "conversations": conversations,
        "orchestrations": orchestrations,
        "deltas": deltas,
    }
    query = {
        name: ",".join(ids)
        for name, ids in followed.items()
        if ids or (name == "jobs" and ids is not None)
    }
    now = asyncio.get_running_loop().time
    lost_at, pause = None, 0.05
    while True:
        try:
            async with connection.streamed("/api/events", query) as response:
                async for told in _told(response):
                    lost_at, pause = None, 0.05
                    yield told
        except ServerUnreachable:
            lost_at = lost_at or now()
            if now() - lost_at > connection.patience:
                raise
        await asyncio.sleep(pause)  # also when a server that closes has ended the stream
        pause = min(2 * pause, 2.0)


async def _told(response: httpx.Response) -> AsyncGenerator[Hint | Delta]:
    """Server-Sent Events, as the server writes them; those that are not known are passed over."""
    kind = ""
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data" and kind in _KINDS:
            data = json.loads(value)
            yield Hint(_KINDS[kind], data.get("id"), data.get("version"))
        elif name == "data" and kind == "delta":
            data = json.loads(value)
            yield Delta(**{each.name: data[each.name] for each in fields(Delta)})
