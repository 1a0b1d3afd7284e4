"""A server on a free port, in the process of the test, and the client that talks to it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support import opened

from lampwork import Project, Settings
from lampwork.door import Door
from lampwork.people import Caller
from lampwork.server.app import build
from lampwork.server.authority import Authority
from lampwork.server.running import ON_LOOPBACK, Reached, bound, serving
from lampwork.server.serving import STREAMS, Serving
from lampwork.store.store import Store


class AnyoneHere:
    """Whoever reaches the server is an admin of everything."""

    async def caller(self, request: Any) -> Caller:
        return Caller("local", everywhere="admin")


ANYONE = AnyoneHere()

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`async with serve(project) as api`: a client of a server that executes its jobs."""

    @asynccontextmanager
    async def serve(
        project: Project,
        *,
        authority: Authority | Callable[[Store], Authority] = ANYONE,
        executes: bool = True,
        reached: Reached = ON_LOOPBACK,
        streams: int = STREAMS,
        **given: Any,
    ) -> AsyncIterator[httpx.AsyncClient]:
        home = tmp_path / "state"
        db = os.environ.get("LAMPWORK_DB")
        door = (
            opened(project, home, **given)
            if executes
            else Door.opened(project, Settings(home=home, db=db, **given))
        )
        async with door as door:
            knows = authority(door.store) if callable(authority) else authority
            app = build(Serving.at(door, streams=streams), knows)
            with bound("127.0.0.1", 0) as at:
                url = f"http://127.0.0.1:{at.getsockname()[1]}"
                async with (
                    serving(app, at, reached),
                    httpx.AsyncClient(base_url=url, timeout=60) as api,
                ):
                    yield api

    return serve
