"""JSON that comes from outside, to the letter of RFC 8259, and such as can be kept and told again:
no NaN, no number beyond all bounds, no half of a surrogate pair, no NUL character."""

from __future__ import annotations

import math
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from itertools import islice
from typing import cast

from pydantic_core import from_json

from lampwork.errors import BodyTooLarge
from lampwork.types import Json

__all__ = ["MOST", "read"]

MOST = 50_000
"""Values in all lists and objects of a body. What checks them holds up everybody else: 4 million
zeros, which are 8 MiB, for five seconds; if all of them are wrong, for a minute."""

_TOKEN = re.compile(rb'"[^"]*"?|[,\[{]')
"""A text; or what stands before each value in a list or an object."""

_HUGE = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{309}")
"""What a number that is read as infinite looks like."""


def read(body: bytes) -> Json:
    """JSON. Raises ValueError; BodyTooLarge for too many values, before it makes any of them."""
    _check_count(body)
    # RFC 8259, 8.1: a byte order mark may be passed over.
    read = from_json(body.removeprefix(BOM_UTF8), allow_inf_nan=False)
    if rb"\u0000" in body and _holds(read, _is_nul):
        raise ValueError("text with a NUL character can't be kept")
    if _HUGE.search(body) and _holds(read, _is_infinite):
        raise ValueError("a number is too large")
    return read


def _check_count(body: bytes) -> None:
    """Raise BodyTooLarge for more values than are read."""
    if sum(map(body.count, (b",", b"[", b"{"))) <= MOST:
        return
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    # Behind each comma there is one text, or two: more than that is no JSON.
    tokens = islice(_TOKEN.finditer(plain), 3 * MOST)
    if sum(plain[each.start()] != ord('"') for each in tokens) > MOST:
        raise BodyTooLarge(
            f"The body has more than {MOST:,} values in its lists and objects. Send fewer, or "
            "upload what is large as a file.",
            values=MOST,
        )


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
