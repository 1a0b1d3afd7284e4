"""A client of HTTP that connects to addresses that it has looked at, within bounds.

It reaches what is public, and what a project allows by name (`Project(allow_hosts=…)`). A name is
resolved once, for each connection, and the connection is made to the address that was looked at:
so whoever changes what a name stands for meanwhile gains nothing. TLS and `Host` are those of the
name.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, cast

import httpcore
import httpx

from lampwork.errors import OutboundRefused, OutboundTooLarge, OutboundTooSlow
from lampwork.outbound.hosts import NONE, AllowedHosts, is_for_clouds, shown, why_not

__all__ = ["LARGEST", "SECONDS", "client", "fetch"]

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""What a name stands for: its addresses."""

REDIRECTS = 5
"""Each of them is looked at as the first address was."""

LARGEST = 10 * 1024 * 1024
"""Bytes of a response."""

SECONDS = 30.0
"""For a request with all its redirects, to the last byte of the response."""


def client(
    allowed: AllowedHosts = NONE,
    *,
    largest: int = LARGEST,
    seconds: float = SECONDS,
    resolver: Resolver | None = None,
) -> httpx.AsyncClient:
    """A client that reaches what is public, and what is allowed: `async with client() as http`.

    It follows up to five redirects. A response has up to `largest` bytes, and takes `seconds` at
    the most. Its requests raise OutboundRefused, OutboundTooLarge, OutboundTooSlow, and httpx's.
    """
    return httpx.AsyncClient(
        transport=_Transport(allowed, largest, seconds, resolver or _resolve),
        timeout=seconds,
        follow_redirects=True,
        max_redirects=REDIRECTS,
        trust_env=False,  # a proxy of the environment's would resolve by itself
        headers={"accept-encoding": "identity"},
    )


async def fetch(
    url: str, allowed: AllowedHosts, *, largest: int, seconds: float = SECONDS
) -> bytes:
    """What is at an address. Raises what a client's requests raise, and httpx.HTTPStatusError."""
    async with client(allowed, largest=largest, seconds=seconds) as http:
        response = await http.get(url)
        response.raise_for_status()
        return response.content


# --- the connection ---


async def _resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to addresses that it has looked at, and to no name."""

    def __init__(self, allowed: AllowedHosts, resolve: Resolver) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._backend: Any = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, *args: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of a host that takes one. Raises OutboundRefused."""
        try:
            found = [ip_address(each.partition("%")[0]) for each in await self._resolve(host, port)]
        except OSError as error:
            raise httpcore.ConnectError(f"{host} can't be resolved: {error}") from error
        by_name = self._allowed.names(host, port)
        refused: list[str] = []
        failed: Exception | None = None
        for address in found:
            why = why_not(address)
            # Even a name that is allowed does not stand for what nobody has allowed by itself.
            open_ = by_name and not is_for_clouds(address)
            if why is not None and not open_ and not self._allowed.has(address, port):
                refused.append(f"{address} ({why})")
                continue
            try:
                return await self._backend.connect_tcp(str(address), port, *args, **options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        if failed is not None:
            raise failed
        raise OutboundRefused(
            f"{host} is not reached: it stands for {', '.join(refused) or 'no address'}, and only "
            f'what is public is. If it is meant to be, allow it: Project(allow_hosts=["{host}"]).',
            host=host,
        )

    async def connect_unix_socket(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """Never: nothing here names a file."""
        raise OutboundRefused("A socket in a file is not reached over HTTP.", host="")

    async def sleep(self, seconds: float) -> None:
        """Wait before a connection is tried again."""
        await asyncio.sleep(seconds)


@functools.lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """What certificates are trusted: 20 ms to load."""
    return httpx.create_ssl_context(trust_env=False)


class _Transport(httpx.AsyncBaseTransport):
    """httpx over connections that were looked at, within bounds of size and time."""

    def __init__(
        self, allowed: AllowedHosts, largest: int, seconds: float, resolve: Resolver
    ) -> None:
        self._largest = largest
        self._seconds = seconds
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(), network_backend=_Checked(allowed, resolve)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; redirects come as requests of their own, in the time that is left."""
        if request.url.scheme not in ("http", "https"):
            raise OutboundRefused(
                f"{request.url.scheme}: is not reached, only http: and https:.", host=""
            )
        now = asyncio.get_running_loop().time()
        until: float = request.extensions.setdefault("lampwork_until", now + self._seconds)
        bounds = _Bounds(shown(str(request.url)), self._largest, self._seconds, until)
        async with bounds.time():
            response = await self._pool.handle_async_request(_for_core(request))
        assert isinstance(response.stream, AsyncIterable)
        body = _Body(response.stream, bounds)
        encoding = httpx.Headers(response.headers).get("content-encoding", "identity")
        if encoding.lower() != "identity":
            await body.aclose()
            raise OutboundRefused(
                f"{bounds.url} answers in {encoding}, which was not asked for: nobody knows how "
                "large it is.",
                host=request.url.host,
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=body,
            extensions=cast(Any, response).extensions,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


def _for_core(request: httpx.Request) -> httpcore.Request:
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


@dataclass(frozen=True, slots=True)
class _Bounds:
    """How large a response may be, and until when it is there."""

    url: str
    largest: int
    seconds: float
    until: float

    @asynccontextmanager
    async def time(self) -> AsyncGenerator[None]:
        """What is waited for inside is there in time. Raises OutboundTooSlow, httpx's errors."""
        limit = asyncio.timeout_at(self.until)
        try:
            async with limit:
                yield
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise OutboundTooSlow(
                f"{self.url} has not answered in full after {self.seconds:g} s.", url=self.url
            ) from error
        except httpcore.ConnectError as error:
            raise httpx.ConnectError(str(error)) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise httpx.RemoteProtocolError(str(error)) from error

    def check(self, size: int) -> None:
        """Raise OutboundTooLarge."""
        if size > self.largest:
            raise OutboundTooLarge(
                f"{self.url} answers with more than {self.largest:,} bytes.",
                url=self.url,
                largest=self.largest,
            )


class _Body(httpx.AsyncByteStream):
    """The body of a response, as it comes."""

    def __init__(self, stream: AsyncIterable[bytes], bounds: _Bounds) -> None:
        self._stream = stream
        self._bounds = bounds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        parts = aiter(self._stream)
        while True:
            async with self._bounds.time():
                part = await anext(parts, None)
            if part is None:
                return
            received += len(part)
            self._bounds.check(received)
            yield part

    async def aclose(self) -> None:
        """Let the connection go."""
        await self._stream.aclose()  # type: ignore[attr-defined]
