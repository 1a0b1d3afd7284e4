"""JSON as people read it: tables, lists, and what they are called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import cast

from lampwork.types import Json

__all__ = ["shown", "table"]

_DEEPEST = 3
"""Levels that have tables of their own; what is below is shown as JSON."""


def shown(value: Json, room: int) -> str:
    """The HTML of a value, which has room for so many characters of it."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    if len(text) > room:
        return f"<pre>{escape(text[:room])} …</pre>\n"
    return _value(value, 0)


def table(head: Sequence[str], rows: Sequence[Sequence[Json]]) -> str:
    """The HTML of a table; a column of numbers stands to the right."""
    numbers = [
        any(map(_is_number, column)) and all(each is None or _is_number(each) for each in column)
        for column in zip(*rows, strict=True)
    ] or [False] * len(head)
    lines = [_row("th", head, numbers)]
    lines += [_row("td", [_text(each) for each in row], numbers) for row in rows]
    inner = "\n".join(lines[1:])
    return (
        f'<div class="table"><table>\n<thead>\n{lines[0]}\n</thead>\n'
        f"<tbody>\n{inner}\n</tbody>\n</table></div>\n"
    )


def _row(cell: str, texts: Sequence[str], numbers: Sequence[bool]) -> str:
    kinds = [' class="number"' if number else "" for number in numbers]
    cells = [
        f"<{cell}{kind}>{escape(text)}</{cell}>" for text, kind in zip(texts, kinds, strict=True)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _value(value: Json, depth: int) -> str:
    match value:
        case dict():
            return _object(cast(dict[str, Json], value), depth)
        case list():
            return _list(cast(list[Json], value), depth)
        case _:
            return f"<p>{escape(_text(value))}</p>\n"


def _object(value: Mapping[str, Json], depth: int) -> str:
    """What is plain first, as rows; then each of the others under its name."""
    if depth >= _DEEPEST:
        return _json(value)
    plain = {name: each for name, each in value.items() if not _has_parts(each)}
    rows = "".join(
        f"<tr><th>{escape(_named(name))}</th><td>{escape(_text(each))}</td></tr>\n"
        for name, each in plain.items()
    )
    facts = f'<div class="table"><table class="facts">\n<tbody>\n{rows}</tbody>\n</table></div>\n'
    html = facts if plain else ""
    level = min(6, 3 + depth)
    for name, each in value.items():
        if name not in plain:
            html += f"<h{level}>{escape(_named(name))}</h{level}>\n{_value(each, depth + 1)}"
    return html


def _list(value: Sequence[Json], depth: int) -> str:
    if not value:
        return "<p>none</p>\n"
    if all(isinstance(each, dict) for each in value) and all(map(_has_parts, value)):
        rows = cast(Sequence[dict[str, Json]], value)
        if not any(_has_parts(each) for row in rows for each in row.values()):
            names = list(dict.fromkeys(name for row in rows for name in row))
            cells = [[row.get(name) for name in names] for row in rows]
            return table([_named(name) for name in names], cells)
    if any(map(_has_parts, value)):
        return _json(value) if depth >= _DEEPEST else "".join(_value(each, depth) for each in value)
    items = "".join(f"<li>{escape(_text(each))}</li>\n" for each in value)
    return f"<ul>\n{items}</ul>\n"


def _json(value: Json) -> str:
    return f"<pre>{escape(json.dumps(value, ensure_ascii=False, indent=1))}</pre>\n"


def _has_parts(value: Json) -> bool:
    return isinstance(value, dict | list) and bool(cast("dict[str, Json] | list[Json]", value))


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Json) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case dict() | list():
            return "none"
        case _:
            return json.dumps(value)


def _named(name: str) -> str:
    """A field's name as a heading: `last_year` is `last year`."""
    return name.replace("_", " ")
