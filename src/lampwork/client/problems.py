"""Problem documents (RFC 9457) as the errors that they were on the server."""

from __future__ import annotations

from typing import Any, cast

import httpx

from lampwork.errors import LampworkError, ServerRefused

__all__ = ["error_of"]

_LONGEST = 500
"""Characters that are shown of an answer that is no problem document."""


def error_of(response: httpx.Response) -> LampworkError:
    """The error of a response: that of its code, or ServerRefused if this version has none."""
    problem = _read(response)
    code, status = problem.get("code"), response.status_code
    message = str(problem.get("detail") or _in_words(response))
    kind = LampworkError.of_code(str(code))
    if kind is None:
        return ServerRefused(message, answer_status=status, answer_code=code)
    fields = dict(cast(dict[str, Any], problem.get("fields") or {}))
    named = [f"{each['field']}: {each['message']}" for each in problem.get("errors") or ()]
    if named:
        fields["problems"] = named
    return kind(message, **fields)


def _read(response: httpx.Response) -> dict[str, Any]:
    """The members of a problem document; none of what is another one."""
    try:
        read = response.json()
    except ValueError:
        return {}
    return cast(dict[str, Any], read) if isinstance(read, dict) else {}


def _in_words(response: httpx.Response) -> str:
    said = " ".join(response.text.split())[:_LONGEST]
    what = f"{response.request.method} {response.request.url}"
    return f"{what} was answered {response.status_code}, by no Lampwork server: {said}"
