"""What a request may be: JSON to the letter, within a limit, no parameter that nobody reads.

Of who may not send it nothing is read.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from lampwork import exact_json
from lampwork.errors import BodyTooLarge, BodyTooSlow, InputInvalid, NotFound, one_of, quoted
from lampwork.server.authority import let_in, needs_of
from lampwork.types import Json

__all__ = [
    "OF_ALL",
    "AnyQueryRoute",
    "Body",
    "Digest",
    "ExactRoute",
    "Moment",
    "SmallRoute",
    "read_json",
]

OF_ALL = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Headers of each response that has no others: nobody between keeps it, or takes it for a page."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


_SILENCE = 30.0
"""Seconds in which something of a body comes."""

_OF_STRANGERS = 60.0
"""Seconds in which all of it comes from who needs no leave to send it."""


class Body(BaseModel):
    """A JSON body: no field that nobody reads, and no text that is taken for a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _moment(given: Any) -> datetime:
    """A moment of RFC 3339, with its time zone, in which it is a time of each other zone too."""
    try:
        moment = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in given or not 1 < moment.year < 9999:
        raise ValueError("give a moment with its time zone, as 2026-01-31T18:00:00Z")
    return moment


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A moment in a request."""


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""The SHA-256 of a content, in hex."""


class _ReadRequest(Request):
    """A request whose body was read."""

    read: Json = None

    async def json(self) -> Any:
        return self.read


def read_json(body: bytes) -> Json:
    """A body, as RFC 8259 has it. Raises InputInvalid, BodyTooLarge."""
    try:
        return exact_json.read(body)
    except ValueError as error:
        raise InputInvalid(
            f"The body is no JSON: {error}. Nothing was changed.",
            problems=[f"body: this is no JSON: {error}"],
        ) from error


class ExactRoute(APIRoute):
    """A route that refuses query parameters that it does not read, and bodies over its limit."""

    any_query = False
    largest = 8 * 1024 * 1024
    """Bytes of a body."""
    instead = "Send less, or upload what is large as a file."
    """What to do with a longer one."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        known = list(_query_names(self.dependant))
        takes_json = self.body_field is not None
        needs = needs_of(self.dependant)

        async def exactly(given: Request) -> Response:
            await let_in(given, needs)
            request = _ReadRequest(given.scope, _bounded(given, self, known=bool(needs)))
            _check_address(request, None if self.any_query else known)
            try:
                if takes_json:
                    # Here, because FastAPI would make a 400 of what reading raises.
                    body = await request.body()
                    _check_is_json(request, body)
                    request.read = read_json(body) if body else None
                response = await handle(request)
            except ClientDisconnect:
                return Response(status_code=400)  # for nobody
            for name, value in OF_ALL.items():
                response.headers.setdefault(name, value)
            return response

        return exactly


class AnyQueryRoute(ExactRoute):
    """A route whose query parameters are for the project's own code to read."""

    any_query = True


class SmallRoute(ExactRoute):
    """A route for whoever comes, of whom little is read."""

    largest = 16 * 1024
    instead = "Send less."


def _query_names(dependant: Dependant) -> Iterator[str]:
    """The query parameters that a route reads, one by one or as fields of a model."""
    for each in dependant.query_params:
        annotation = each.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from annotation.model_fields
        else:
            yield each.alias
    for each in dependant.dependencies:
        yield from _query_names(each)


def _check_address(request: Request, known: list[str] | None) -> None:
    if "\0" in request.scope["path"]:  # its URL can't be told where `Host` is no host
        raise NotFound("There is nothing whose name has a NUL character.")
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in given.items():
        if known is not None and name not in known:
            raise InputInvalid(
                f"There is no query parameter {quoted(name)} here. {one_of(name, known)}",
                problems=[f"{name}: there is no such query parameter"],
            )
        if times > 1:
            raise InputInvalid(
                f"Query parameter {quoted(name)} is given more than once. Give one.",
                problems=[f"{name}: given more than once"],
            )
        if "\0" in request.query_params[name]:
            raise InputInvalid(
                f"Query parameter {quoted(name)} has a NUL character.",
                problems=[f"{name}: it has a NUL character"],
            )


def _check_is_json(request: Request, body: bytes) -> None:
    """Raise InputInvalid for a body that is sent as something else, as curl does with `-d`.

    What a form of another site's page can send is no change here, whatever it looks like.
    """
    said = request.headers.get("content-type", "")
    kind = said.partition(";")[0].strip().lower()
    if body and not (kind == "application/json" or kind.endswith("+json")):
        raise InputInvalid(
            f"The body is sent as {quoted(said) if said else 'nothing in particular'}. Send JSON, "
            "and the header `Content-Type: application/json`. Nothing was changed.",
            problems=["Content-Type: it is not application/json"],
        )


def _bounded(request: Request, route: ExactRoute, *, known: bool) -> Receive:
    """What is received, counted; a body that is too long is refused as soon as that is known.

    Raises BodyTooLarge, at once where its length is announced; BodyTooSlow.
    """
    now = asyncio.get_running_loop().time
    until = math.inf if known else now() + _OF_STRANGERS
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > route.largest:
        raise _too_large(route)
    received = 0

    async def counted() -> Message:
        nonlocal received
        try:
            async with asyncio.timeout_at(min(until, now() + _SILENCE)):
                message = await request.receive()
        except TimeoutError as error:
            raise BodyTooSlow(
                "The body did not come in time. Send it again, over a better connection."
            ) from error
        received += len(message.get("body", b""))
        if received > route.largest:
            raise _too_large(route)
        return message

    return counted


def _too_large(route: ExactRoute) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body is longer than {route.largest:,} bytes. {route.instead}", limit=route.largest
    )
