"""A server as it runs: on its socket, until it is told to end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from lampwork.errors import AddressInUse
from lampwork.server.protocol import RequestsInTime
from lampwork.server.proxied import BehindProxy

__all__ = ["ON_LOOPBACK", "Reached", "bound", "serving"]

_GRACE = 5
"""Seconds that requests get to end when the server closes."""

_RESTS = 75
"""Seconds that a connection may rest: longer than those who connect keep theirs (httpx 5, nginx and
AWS 60), or the server would close one just as the next request is on its way."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How requests get to a server: of this machine, past a proxy, or by TLS."""

    behind_proxy: bool = False
    """Whether whoever speaks to it is a proxy, which says who speaks to that."""
    tls_cert: Path | None = None
    tls_key: Path | None = None


ON_LOOPBACK = Reached()


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address; port 0 is any that is free. Raises AddressInUse."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's algorithm on: each answer came 40 ms late.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        raise AddressInUse(
            f"{host}:{port} can't be listened at: {error.strerror}. Name another one with --host "
            "or --port; --port 0 takes any that is free.",
            host=host,
            port=port,
        ) from error
    return found


class _Server(uvicorn.Server):
    """Says when it listens, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serving(
    app: FastAPI, at: socket.socket, reached: Reached = ON_LOOPBACK
) -> AsyncGenerator[None]:
    """Answer requests inside the block; those that are answered at its end get some seconds."""
    config = uvicorn.Config(
        # Who is not behind a proxy could name any address as their own.
        BehindProxy(app) if reached.behind_proxy else app,
        http=RequestsInTime,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=reached.tls_cert,
        ssl_keyfile=reached.tls_key,
        timeout_keep_alive=_RESTS,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[at]))
    listening = asyncio.create_task(server.listening.wait())
    try:
        # A server that can't begin ends at once, and says why below.
        await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            yield
    finally:
        app.state.serving.drain()
        server.should_exit = True
        listening.cancel()
        await running
