"""Who speaks to the proxy that is before a server, as that proxy says."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["BehindProxy"]


class BehindProxy:
    """Takes address and scheme of a request from the proxy's headers.

    Of `X-Forwarded-For` the last address counts, which the proxy has added: those before it came
    with the request, from whoever sent that. uvicorn's own takes the first one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request as if it had come past no proxy."""
        if scope["type"] == "http":
            scope = {**scope, **_told(Headers(scope=scope))}
        await self._app(scope, receive, send)


def _told(headers: Headers) -> dict[str, Any]:
    told: dict[str, Any] = {"scheme": _last(headers, "x-forwarded-proto") or "https"}
    if told["scheme"] not in ("http", "https"):
        told["scheme"] = "https"
    address = _address(_last(headers, "x-forwarded-for"))
    return told if address is None else told | {"client": (address, 0)}


def _last(headers: Headers, name: str) -> str:
    """What a header says last, in all its lines."""
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()


def _address(said: str) -> str | None:
    """The address in `203.0.113.7`, `203.0.113.7:4711` or `[2001:db8::1]:4711`, if it is one."""
    if said.startswith("["):
        said = said[1:].partition("]")[0]
    elif said.count(":") == 1:
        said = said.partition(":")[0]
    try:
        return str(ip_address(said))
    except ValueError:
        return None
