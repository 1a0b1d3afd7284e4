"""Who sends little, and slowly, holds nothing for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import Request
from tests.support import eventually

from lampwork import Job, Project, Webhook
from lampwork.server import protocol, requests, running
from lampwork.server.contents import content
from lampwork.views import FileView

from .conftest import Serve

DEADLINE = 60.0
project = Project("shop")
START = "/api/projects/shop/recipes/add/jobs"
TOO_SLOW = b'"code":"body_too_slow"'
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"


@project.recipe(triggers=[Webhook("in", secret="whsec_" + "b2xk" * 8)])
async def add(job: Job, a: int = 1) -> int:
    return a


@asynccontextmanager
async def connected(
    api: httpx.AsyncClient,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(api.base_url.host, api.base_url.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes the connection."""
    try:
        return await asyncio.wait_for(reader.read(), DEADLINE)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    "begun", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: a\r\n"]
)
async def test_a_connection_without_a_whole_head_is_closed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(protocol, "_HEAD", 0.2)
    async with serve(project, executes=False) as api, connected(api) as (reader, writer):
        writer.write(begun)

        assert await rest(reader) == b""


async def test_a_second_request_has_its_head_in_time_too(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(project, executes=False) as api, connected(api) as (reader, writer):
        writer.write(HEALTH)
        answered = await asyncio.wait_for(reader.readuntil(b'"ok"}'), DEADLINE)
        monkeypatch.setattr(protocol, "_HEAD", 0.2)
        writer.write(HEALTH[:9])

        assert (answered[:15], await rest(reader)) == (b"HTTP/1.1 200 OK", b"")


async def test_who_took_long_before_is_still_answered(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_HEAD", DEADLINE)
    async with serve(project, executes=False) as api, connected(api) as (reader, writer):
        for piece in (HEALTH[:9], HEALTH[9:20], HEALTH[20:]):
            writer.write(piece)
            await writer.drain()

        assert (await asyncio.wait_for(reader.readuntil(b'"ok"}'), DEADLINE)).endswith(b'"ok"}')


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[protocol.RequestsInTime]:
    """The server's ends of connections."""
    made: list[protocol.RequestsInTime] = []

    class Seen(protocol.RequestsInTime):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            made.append(self)

    monkeypatch.setattr(running, "RequestsInTime", Seen)
    return made


async def test_a_connection_may_rest_for_longer_than_clients_and_proxies_keep_theirs(
    serve: Serve, made: list[protocol.RequestsInTime]
) -> None:
    async with serve(project, executes=False) as api, connected(api) as (reader, writer):
        writer.write(HEALTH)
        await asyncio.wait_for(reader.readuntil(b'"ok"}'), DEADLINE)

        [ends] = [each.timeout_keep_alive_task for each in made]
        assert ends is not None
        assert ends.when() - asyncio.get_running_loop().time() > 60


@pytest.mark.parametrize(("range_", "size"), [("", 3_000_001), ("bytes=1-2500000", 2_500_000)])
async def test_what_is_large_is_sent_piece_by_piece(range_: str, size: int) -> None:
    whole = bytes(range(256)) * 11_718 + b"x" * 193
    file = FileView(name="a", media_type="a/b", size=len(whole), digest="0", url="/")
    headers = [(b"range", range_.encode())] if range_ else []
    asgi = {"spec_version": "2.4"}
    scope = {"type": "http", "method": "GET", "headers": headers, "asgi": asgi}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    response = await content(Request(scope), file, whole)
    await response(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]

    begin, *pieces = sent
    assert dict(begin["headers"])[b"content-length"] == str(size).encode()
    assert max(len(each["body"]) for each in pieces) < 1_000_000
    start = 1 if range_ else 0
    assert b"".join(each["body"] for each in pieces) == whole[start : start + size]


@pytest.mark.parametrize(
    ("path", "bound"), [(START, "_SILENCE"), ("/hooks/shop/in", "_OF_STRANGERS")]
)
async def test_a_body_that_does_not_come_is_not_waited_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, path: str, bound: str
) -> None:
    monkeypatch.setattr(requests, bound, 0.2)
    monkeypatch.setattr(protocol, "_REST", 0.2)
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
    async with serve(project, executes=False) as api, connected(api) as (reader, writer):
        writer.write(f"{head}Content-Length: 1000\r\n\r\n{{".encode())

        answered = await asyncio.wait_for(reader.readuntil(TOO_SLOW), DEADLINE)
        writer.write(b" ")  # nor does it help to send on, slowly
        await rest(reader)

    assert answered.startswith(b"HTTP/1.1 408")


async def test_who_sends_the_rest_after_all_is_answered_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, made: list[protocol.RequestsInTime]
) -> None:
    monkeypatch.setattr(requests, "_SILENCE", 0.2)
    monkeypatch.setattr(protocol, "_REST", DEADLINE)
    head = f"POST {START} HTTP/1.1\r\nHost: here\r\nContent-Length: "
    async with serve(project, executes=False) as api, connected(api) as (reader, writer):
        writer.write(f"{head}1000\r\n\r\n{{".encode())
        await asyncio.wait_for(reader.readuntil(TOO_SLOW), DEADLINE)
        monkeypatch.setattr(requests, "_SILENCE", DEADLINE)
        writer.write(b" " * 999 + f"{head}2\r\n\r\n{{".encode())  # and a part of the next one
        await eventually(lambda: made[0]._rest_due is None, "the rest is still waited for")
        writer.write(b"}" + HEALTH)
        answered = await asyncio.wait_for(reader.readuntil(b'"ok"}'), DEADLINE)

    assert b"HTTP/1.1 422" in answered  # it names no input
    assert b"HTTP/1.1 200" in answered
