"""Errors as RFC 9457 problem documents: of Lampwork's own, and of what HTTP itself refuses."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from lampwork.errors import TOLD, InputInvalid, LampworkError, few, one_of
from lampwork.server.requests import OF_ALL
from lampwork.types import Json

__all__ = ["MEDIA_TYPE", "FieldError", "Problem", "problem", "respond_with_problems"]

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger("lampwork.server")

_NAMED = re.compile(r"([\w.\[\]-]+): (.+)", re.DOTALL)
"""`field: what is wrong`, as InputInvalid lists it."""

_NAME = re.compile(r"[a-z_]+")
"""A field alone, of which the message says what is wrong."""

_ABOUT = {
    "metadata_unknown": "metadata.{key}",
    "metadata_invalid": "metadata.{key}",
    "output_type_invalid": "output",
    "budget_not_enforceable": "budget",
    "too_many_files": "files",
    "file_rejected": "files",
}
"""The field that an error is about, by its code, where it lists none."""

_TRY_AGAIN = {429: 1, 503: 1}
"""Seconds after which it may be otherwise, by status."""


class FieldError(BaseModel):
    """A field of the request that does not fit."""

    field: str = Field(description="Its path, such as `input.order_id`.")
    message: str


class Problem(BaseModel):
    """What went wrong, and what to do: RFC 9457."""

    type: str = Field(description="`urn:lampwork:problem:` and the code.")
    title: str
    status: int
    detail: str = Field(description="What happened here, and what to do.")
    code: str = Field(description="That of docs/errors.md, such as `job_not_found`.")
    fields: dict[str, Json] = Field(
        default_factory=dict[str, Json], description="What the error names, for programs."
    )
    errors: list[FieldError] = Field(
        default_factory=list[FieldError], description="The fields of the request that do not fit."
    )


def respond_with_problems(app: FastAPI) -> None:
    """Let every error of an app be answered by a problem document."""
    app.add_exception_handler(LampworkError, _lampwork_error)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def problem(error: LampworkError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response to an error."""
    return _response(
        error.status,
        error.code,
        error.message,
        fields={name: each for name, each in error.fields.items() if name != "problems"},
        errors=list(_fields_of(error)) if error.status == 422 else [],
        headers=headers,
    )


def _fields_of(error: LampworkError) -> Iterator[FieldError]:
    """The fields of a request that an error names."""
    if (about := _ABOUT.get(error.code)) is not None:
        yield FieldError(field=about.format_map(error.fields), message=error.message)
    listed: list[str] = error.fields.get("problems", [])
    for each in listed:
        if (found := _NAMED.fullmatch(each)) is not None:
            yield FieldError(field=found[1], message=found[2])
        elif _NAME.fullmatch(each):
            yield FieldError(field=each, message=error.message)


async def _lampwork_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LampworkError)
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if (wait := error.fields.get("retry_after")) is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    if error.status == 500:
        facts = {"event": "server.failed"}
        _log.error("a request failed: %s", error, exc_info=error, extra=facts)
    return problem(error, headers)


async def _not_valid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    route: APIRoute = request.scope["route"]
    found = error.errors()
    errors = [_field_error(each, route) for each in found[:TOLD]]
    said = "; ".join(few((f"{each.field}: {each.message}" for each in errors), len(found)))
    ended = said if said.endswith((".", "?")) else f"{said}."
    detail = f"The request does not fit: {ended} Nothing was changed."
    return _response(422, InputInvalid.code, detail, errors=errors)


def _field_error(found: Mapping[str, Any], route: APIRoute) -> FieldError:
    """A field by its path."""
    where, *path = found["loc"]
    match found["type"]:
        case "model_attributes_type" if not path:
            said = f"give an object. {_fields_there(route)}"
        case "missing" if not path:
            said = f"there is none. Give an object. {_fields_there(route)}"
        case "extra_forbidden":
            said = "there is no such field."
            if len(path) == 1:
                said = f"{said} {_fields_there(route, str(path[0]))}"
        case _:
            said = found["msg"].removeprefix("Value error, ")
    return FieldError(field=".".join(map(str, path)) or str(where), message=said)


def _fields_there(route: APIRoute, given: str = "") -> str:
    """Which fields the body of a route has."""
    model: Any = None if route.body_field is None else route.body_field.field_info.annotation
    return one_of(given, getattr(model, "model_fields", ()))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers, path = error.headers, request.scope["path"]
    match error.status_code:
        case 404:
            detail = f"There is no {path} here. GET /openapi.json lists what there is."
        case 405:
            allowed = _allowed(request)
            headers = {"Allow": allowed}
            detail = f"{path} takes {allowed}, not {request.method}."
        case _:
            detail = str(error.detail)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return _response(error.status_code, code, detail, headers=headers)


def _allowed(request: Request) -> str:
    """The methods of a path, of all its routes: Starlette names those of the first one."""
    routes: Sequence[APIRoute] = request.app.state.routes
    there = [each for each in routes if each.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in there for method in route.methods or ()}))


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    # Starlette raises it again, and who runs the app logs it with its traceback.
    detail = "The server failed at this request; its log says why. What it began may be done."
    return _response(500, "internal_error", detail)


def _response(
    status: int,
    code: str,
    detail: str,
    *,
    fields: Mapping[str, Json] | None = None,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    shown = Problem(
        type=f"urn:lampwork:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        fields=dict(fields or {}),
        errors=errors or [],
    )
    again = {"Retry-After": str(_TRY_AGAIN[status])} if status in _TRY_AGAIN else {}
    return JSONResponse(
        shown.model_dump(mode="json"),
        status_code=status,
        headers={**OF_ALL, **again, **(headers or {})},
        media_type=MEDIA_TYPE,
    )
