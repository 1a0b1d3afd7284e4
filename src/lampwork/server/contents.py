"""The content of files in responses: whole, in part (RFC 9110 §14), or known to the caller already.

It is a user's or a model's, so it is never shown by a browser as a page of ours.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncGenerator, Callable
from typing import IO, Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from lampwork.errors import RangeInvalid
from lampwork.views import FileView

__all__ = ["content", "content_route"]

Answering = TypeVar("Answering", bound=Callable[..., Any])

_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})", re.ASCII)

_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

_CONTENT = {"application/octet-stream": _BYTES, "*/*": _BYTES}
"""Of any media type; generators of clients take the one that they know."""

_DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of it, in its media type", "content": _CONTENT},
    206: {"description": "The range that was asked for", "content": _CONTENT},
    304: {"description": "It is what the caller has (If-None-Match)"},
}
"""For /openapi.json."""


_LARGE = 1024 * 1024
"""Bytes; what has more lies on the disk while it is sent: who reads slowly costs no memory."""

_PIECE = 256 * 1024
"""Bytes of it that are sent at once."""


def content_route(router: APIRouter, path: str) -> Callable[[Answering], Answering]:
    """A route that answers with `content`: to GET, and to HEAD without it."""

    def define(fn: Answering) -> Answering:
        router.head(path, response_class=Response, include_in_schema=False)(fn)
        return router.get(path, response_class=Response, responses=_DESCRIBED)(fn)

    return define


async def content(request: Request, file: FileView, whole: bytes) -> Response:
    """A file, as a request wants it. Raises RangeInvalid."""
    tag = f'"{file.digest}"'
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Type": file.media_type,
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    if tag in request.headers.get("If-None-Match", ""):
        kept = {"ETag": tag, "Cache-Control": headers["Cache-Control"]}
        return Response(status_code=304, headers=kept)
    if request.method == "HEAD":  # ranges are of GET alone: RFC 9110 §14.2
        return Response(headers=headers | {"Content-Length": str(len(whole))})
    wanted = _RANGE.fullmatch(request.headers.get("Range", ""))
    if wanted is None or request.headers.get("If-Range", tag) != tag:
        return await _sent(whole, 200, headers)  # other units, several ranges: all of it
    first, last = _span(wanted["first"], wanted["last"], len(whole))
    part = {"Content-Range": f"bytes {first}-{last}/{len(whole)}"}
    return await _sent(whole[first : last + 1], 206, headers | part)


async def _sent(body: bytes, status: int, headers: dict[str, str]) -> Response:
    if len(body) <= _LARGE:
        return Response(body, status, headers)
    on_disk = await asyncio.to_thread(_on_disk, body)
    length = {"Content-Length": str(len(body))}
    return StreamingResponse(_pieces(on_disk), status, headers | length)


def _on_disk(body: bytes) -> IO[bytes]:
    """A file that is gone when it is closed."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed when all is sent)
    file.write(body)
    file.seek(0)
    return file


async def _pieces(file: IO[bytes]) -> AsyncGenerator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    """The first and the last byte; `last` alone is how many from the end. Raises RangeInvalid."""
    begin = int(first) if first else max(0, size - int(last or 0))
    end = min(int(last), size - 1) if first and last else size - 1
    if not begin <= end < size:
        raise RangeInvalid(
            f"bytes={first}-{last} is no part of {size} bytes. Ask for bytes=0-{size - 1}.",
            size=size,
        )
    return begin, end
