"""JSON that comes from outside, to the letter of RFC 8259, and such as can be kept and told again:
no NaN, no number beyond all bounds, no half of a surrogate pair, no NUL character."""

from __future__ import annotations

import math
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from typing import cast

from pydantic_core import from_json

from lampwork.types import Json

__all__ = ["read"]

_HUGE = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{309}")
"""What a number that is read as infinite looks like."""


def read(body: bytes) -> Json:
    """JSON. Raises ValueError."""
    # RFC 8259, 8.1: a byte order mark may be passed over.
    read = from_json(body.removeprefix(BOM_UTF8), allow_inf_nan=False)
    if rb"\u0000" in body and _holds(read, _is_nul):
        raise ValueError("text with a NUL character can't be kept")
    if _HUGE.search(body) and _holds(read, _is_infinite):
        raise ValueError("a number is too large")
    return read


def _is_nul(value: Json) -> bool:
    return isinstance(value, str) and "\0" in value


def _is_infinite(value: Json) -> bool:
    return isinstance(value, float) and math.isinf(value)


def _holds(value: Json, what: Callable[[Json], bool]) -> bool:
    match value:
        case list():
            return any(_holds(each, what) for each in cast(list[Json], value))
        case dict():
            held = cast(dict[str, Json], value)
            return any(_holds(each, what) for each in (*held.keys(), *held.values()))
        case _:
            return what(value)
