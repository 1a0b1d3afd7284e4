"""The shapes of two JSON values, compared: their keys and types, not what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from lampwork.types import Json

__all__ = ["differences"]


def differences(then: Json, now: Json, path: str = "") -> Iterator[str]:
    """Where a value has another shape than it had. Of a list the first element counts."""
    where = path or "it"
    if _kind(then) != _kind(now):
        yield f"{where} was {_kind(then)}, and is {_kind(now)}"
    elif isinstance(then, dict):
        was, has = cast(dict[str, Json], then), cast(dict[str, Json], now)
        for name in was.keys() - has.keys():
            yield f"{where} had {name}, and has not now"
        for name in has.keys() - was.keys():
            yield f"{where} has {name}, and had not then"
        for name in was.keys() & has.keys():
            yield from differences(was[name], has[name], f"{path}.{name}" if path else name)
    elif isinstance(then, list) and then and now:
        yield from differences(then[0], now[0], f"{path}[0]")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"
