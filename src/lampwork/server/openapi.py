"""The description of the API that client generators read."""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from lampwork.server.authority import COOKIE, HOST_COOKIE, needs_of
from lampwork.server.problems import MEDIA_TYPE, Problem

__all__ = ["describe_with_problems"]

_ALWAYS = {
    "401": "Nobody knows who calls",
    "403": "The caller's role is not enough",
    "404": "There is no such thing, or it belongs to another project",
    "409": "It can't be done in the state that things are in",
    "410": "What it was given and returned was erased",
    "422": "The request does not fit",
    "429": "Too much at once",
    "503": "The database is away, or the server is closing",
}
_CHANGING = {
    "408": "The body did not come in time",
    "413": "The body is too long",
    "502": "A model's service failed",
}


_KNOWN_BY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, `lw_…`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": HOST_COOKIE,
        "description": "Of a person who has signed in; each change sends X-CSRF-Token beside it. "
        f"Over plain HTTP, at loopback, it is `{COOKIE}`.",
    },
}
"""How it is known who calls."""

_KNOWN: list[dict[str, list[str]]] = [{"key": []}, {"session": []}, {}]
"""By one of these; at loopback, while nobody has an account, by neither."""


def describe_with_problems(app: FastAPI) -> None:
    """Let `/openapi.json` say of each operation how it fails."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = describe


def _described(app: FastAPI) -> dict[str, Any]:
    described = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= problem.pop("$defs") | {"Problem": problem}
    for operations in described["paths"].values():
        for method, operation in operations.items():
            failing = _ALWAYS if method == "get" else _ALWAYS | _CHANGING
            operation["responses"] |= {status: _problem(said) for status, said in failing.items()}
    described["components"]["securitySchemes"] = _KNOWN_BY
    for route in app.state.routes:
        if route.include_in_schema and needs_of(route.dependant):
            for method in route.methods:
                described["paths"][route.path_format][method.lower()]["security"] = _KNOWN
    return _with_good_names(described)


def _with_good_names(described: dict[str, Any]) -> dict[str, Any]:
    """Each schema under a name, and with it as title, that makes a class of its own.

    Of `Page[JobView]` FastAPI makes `Page_JobView_`, and "Page" the title of all.
    """
    text = re.sub(r"\bPage_(\w+?)_(?=\")", r"PageOf\1", json.dumps(described))
    named: dict[str, Any] = json.loads(text)
    for name, schema in named["components"]["schemas"].items():
        schema["title"] = name
    return named


def _problem(said: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": said, "content": {MEDIA_TYPE: {"schema": schema}}}
