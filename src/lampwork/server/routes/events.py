"""Live hints, as Server-Sent Events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lampwork.errors import InputInvalid, LampworkError, TooManyStreams
from lampwork.server.authority import May, require
from lampwork.server.live import Topic
from lampwork.server.requests import ExactRoute
from lampwork.server.serving import Here, Serving

router = APIRouter(route_class=ExactRoute, tags=["live"])

_HEARTBEAT = 15.0
"""Seconds without news after which there is a sign of life, and within which the caller's right is
looked at again."""

_STUCK = 30.0
"""Seconds that a reader may take for what is sent, before its connection is closed."""

_MOST = 200

_DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `everything`; `job`, `conversation` and `orchestration`, with "
        '`{"id": …, "version": …}`; and `delta`, with `{"id": …, "task": …, "entry": …, '
        '"attempt": …, "at": …, "text": …}`',
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

Ids = Annotated[str | None, Query(description="Ids, with commas between them.", max_length=20_000)]


@router.get("/api/events", response_class=Response, responses=_DESCRIBED)
async def follow_events(
    who: May.see,
    here: Here,
    request: Request,
    jobs: Ids = None,
    conversations: Ids = None,
    orchestrations: Ids = None,
    deltas: Ids = None,
) -> Response:
    """What has changed: all jobs, or these and those below them; conversations; orchestrations. In
    conversations that `deltas` names, also what is just being said."""
    follows, hears = _ids("conversations", conversations), _ids("deltas", deltas)
    for each in follows | hears:
        await here.insights.require_conversation(each)
    ledgers = _ids("orchestrations", orchestrations)
    for each in ledgers:
        await here.insights.require_orchestration(each)
    wanted = None if jobs is None else _ids("jobs", jobs)
    topics = (
        *(("conversation", each) for each in follows),
        *(("orchestration", each) for each in ledgers),
    )
    return _Stream(here, request, who.name, (wanted, frozenset(topics), hears))


def _ids(name: str, given: str | None) -> frozenset[str]:
    found = frozenset(filter(None, (given or "").split(",")))
    if len(found) > _MOST:
        raise InputInvalid(
            f"{name} names {len(found)} ids. Name {_MOST} at the most.",
            problems=[f"{name}: more than {_MOST} ids"],
        )
    return found


class _Stream(Response):
    """Hints for as long as somebody reads them, and may."""

    media_type = "text/event-stream"

    def __init__(
        self,
        here: Serving,
        request: Request,
        whose: str,
        wanted: tuple[frozenset[str] | None, frozenset[Topic], frozenset[str]],
    ) -> None:
        """`wanted` are jobs, topics, and the conversations of which deltas are."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self._here = here
        self._request = request
        self._whose = whose
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the reader goes, is stuck, or may read no more, or the server closes.

        Raises TooManyStreams.
        """
        refusal = TooManyStreams(
            f"{self._whose} has {self._here.streams.most} streams of live hints open, as many as "
            "one caller may. End some, follow several things in one (`jobs=`), or start the server "
            "with more `--streams`.",
            limit=self._here.streams.most,
        )
        with self._here.streams.one_more(self._whose, refusal):
            await self._send(receive, send)

    async def _send(self, receive: Receive, send: Send) -> None:
        headers = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **headers})
        telling = asyncio.create_task(self._tell(send))
        gone = asyncio.create_task(_gone(receive))
        await asyncio.wait({telling, gone}, return_when=asyncio.FIRST_COMPLETED)
        for each in (telling, gone):
            each.cancel()
        await asyncio.gather(telling, gone, return_exceptions=True)

    async def _tell(self, send: Send) -> None:
        async for told in self._told():
            async with asyncio.timeout(_STUCK):
                await send({"type": "http.response.body", "body": told, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _told(self) -> AsyncGenerator[bytes]:
        async with self._here.hints.reading(*self._wanted) as reader:
            now = asyncio.get_running_loop().time
            look_at = now() + _HEARTBEAT
            while (told := await reader.next(_HEARTBEAT)) is not None:
                if now() >= look_at:  # whether there was a heartbeat, or never silence enough
                    if not await self._still_may():
                        return
                    look_at = now() + _HEARTBEAT
                yield told

    async def _still_may(self) -> bool:
        """Whether the caller's key or session lives, and the role."""
        try:
            await require(self._request, "viewer")
        except LampworkError:
            return False
        return True


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
