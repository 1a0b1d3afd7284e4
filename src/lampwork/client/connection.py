"""How requests get to a server and back: again while it is away, where that is safe."""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar, cast

import httpx
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import TypeForm

from lampwork.client.problems import error_of
from lampwork.errors import InputInvalid, ServerRefused, ServerUnreachable, quoted
from lampwork.types import Json

__all__ = ["Connection"]

T = TypeVar("T")

_SHORTEST, _LONGEST = 0.05, 2.0
"""Seconds between two tries: the first pause, and what they grow to."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What fails before the server has heard of the request."""

_SILENCE = 45.0
"""Seconds without a word after which a stream is given up: the server says one every 15."""

_PROBLEM = "application/problem+json"

_KEY = re.compile(r"[!-~]+")
"""What a header may hold."""


class Connection:
    """Requests to one server, with one key."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        patience: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise InputInvalid(
                f"{quoted(url)} is no address of a server. Give one such as "
                "https://lampwork.example.org, or http://127.0.0.1:8700.",
                problems=["url"],
            )
        key = None if key is None else key.strip()  # of a file, say, with its end of line
        if key is not None and not _KEY.fullmatch(key):
            raise InputInvalid(
                "The key is none: it is empty, or has spaces or other characters in it that no "
                "key has. Give it as it was shown, lw_…, or none.",
                problems=["key"],
            )
        self.url = url.rstrip("/")
        self.patience = patience
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Accept": f"application/json, {_PROBLEM}", "User-Agent": "lampwork"}
            | ({} if key is None else {"Authorization": f"Bearer {key}"}),
            timeout=httpx.Timeout(30.0, connect=5.0),
            transport=transport,
        )

    async def close(self) -> None:
        """Close what is open to the server."""
        await self._http.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content: bytes | None = None,
        media_type: str = "application/json",
        key: str | None = None,
    ) -> httpx.Response:
        """What the server answers to a body, or to content that is sent as it is.

        `key` is the Idempotency-Key, by which a POST may be repeated; content that is kept by its
        digest may be as well.

        Models and dataclasses in a body are sent as JSON. Raises the error that it was there,
        ServerRefused, ServerUnreachable; InputInvalid for what is no JSON.
        """
        asked = {name: each for name, each in (query or {}).items() if each is not None}
        response = await self._send_with_patience(
            self._http.build_request(
                method,
                path,
                params=asked or None,  # an empty one would take away what the path asks for
                content=_written(body) if content is None else content,
                headers={"Content-Type": media_type}
                | ({} if key is None else {"Idempotency-Key": key}),
            ),
            repeatable=method == "GET" or key is not None or content is not None,
        )
        if not response.is_success:
            raise error_of(response)
        return response

    async def _send_with_patience(
        self, request: httpx.Request, *, repeatable: bool
    ) -> httpx.Response:
        """Send until the server is there: what may have been done there, only if it is repeatable.

        Raises ServerUnreachable.
        """
        pauses = self._pauses()
        while True:
            failure: httpx.TransportError | None = None
            try:
                response = await self._http.send(request)
                if not (repeatable and _is_away(response)):
                    return response
            except httpx.TransportError as error:
                failure, response = error, None
            never_sent = isinstance(failure, _NEVER_SENT)
            pause = next(pauses, None) if repeatable or never_sent else None
            if pause is None:
                if response is not None:
                    return response
                raise self._unreachable(failure, may_be_done=not never_sent) from failure
            await asyncio.sleep(pause)

    def _pauses(self) -> Any:
        """Seconds to wait before each further try, as long as patience lasts."""
        loop = asyncio.get_running_loop()
        until, longest = loop.time() + self.patience, _SHORTEST
        while (left := until - loop.time()) > 0:
            yield min(left, longest * random.uniform(0.5, 1))  # not all clients at once
            longest = min(2 * longest, _LONGEST)

    def _unreachable(self, failure: Exception | None, *, may_be_done: bool) -> ServerUnreachable:
        why = f"{type(failure).__name__}: {failure}".rstrip(": ")
        then = (
            "What was asked for may have been done: look before you ask again."
            if may_be_done
            else "Is that its address, and is it running (`lampwork serve`)?"
        )
        return ServerUnreachable(
            f"{self.url} can't be reached ({why}). {then}", url=self.url, may_be_done=may_be_done
        )

    @asynccontextmanager
    async def streamed(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[httpx.Response]:
        """A response that goes on. Raises as `ask` does; ServerUnreachable when it breaks off."""
        try:
            silence = httpx.Timeout(30.0, connect=5.0, read=_SILENCE)
            async with self._http.stream("GET", path, params=query, timeout=silence) as response:
                if not response.is_success:
                    await response.aread()
                    if _is_away(response):
                        raise self._unreachable(None, may_be_done=False)
                    raise error_of(response)
                yield response
        except httpx.TransportError as error:
            raise self._unreachable(error, may_be_done=False) from error


def _written(body: Any) -> bytes:
    """A body as it is sent. Raises InputInvalid, naming the field that can't be."""
    try:
        return json.dumps(_plain(body, "body")).encode()
    except RecursionError as error:
        raise _no_json("body", "it holds itself, or too much in each other") from error


def _plain(value: Any, field: str) -> Json:
    """A value as JSON, that of models and dataclasses as they are recorded."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if math.isfinite(value):
                return value
            raise _no_json(field, f"{value} is no number in JSON")
        case list() | tuple():
            items = cast(Sequence[Any], value)
            return [_plain(each, f"{field}.{number}") for number, each in enumerate(items)]
        case dict() if all(isinstance(name, str) for name in cast(dict[Any, Any], value)):
            given = cast(dict[str, Any], value)
            inside = "" if field == "body" else f"{field}."
            return {name: _plain(each, f"{inside}{name}") for name, each in given.items()}
        case _:
            try:
                return _plain(to_jsonable_python(value, round_trip=True), field)
            except (PydanticSerializationError, ValueError) as error:
                raise _no_json(field, f"{type(value).__name__} is no JSON") from error


def _no_json(field: str, why: str) -> InputInvalid:
    return InputInvalid(
        f"{field} can't be sent: {why}. Give JSON, a dataclass or a pydantic model.",
        problems=[f"{field}: {why}"],
    )


def _is_away(response: httpx.Response) -> bool:
    """Whether it says that the server, or its database, is not there just now."""
    of_proxy = response.headers.get("content-type") != _PROBLEM
    return response.status_code == 503 or (of_proxy and response.status_code in (502, 504))


@cache
def _reader(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def read(response: httpx.Response, as_: TypeForm[T]) -> T:
    """The body of a response. Raises ServerRefused for one of another shape."""
    try:
        return cast(T, _reader(as_).validate_json(response.content))
    except ValidationError as error:
        raise ServerRefused(
            f"{response.request.method} {response.request.url} was answered in a shape that this "
            f"version of Lampwork does not know ({error.error_count()} mistakes, the first: "
            f"{error.errors()[0]['msg']}). Is it a Lampwork server, of about this version?",
            answer_status=response.status_code,
            answer_code=None,
        ) from error
