"""The seal on metadata: values that give way to their names wherever a genie would read them.

A skill's result or error that holds a sealed value is recorded with `«invoice_id»` in its place, so
that no later request of the conversation can carry it either. Where the genie uses that name, in
arguments and in its answer, it is the value again.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import cast
from urllib.parse import quote

from pydantic_core import from_json

from lampwork.metadata.needles import Matcher, Needle
from lampwork.models.pieces import texts_in
from lampwork.types import Json

__all__ = ["Seal"]

_ROUNDS = 4
"""A text that still holds a value after so many replacements gives way as a whole."""


class Seal:
    """The sealed values of one task."""

    def __init__(self, needles: Sequence[Needle]) -> None:
        sealed = [needle for needle in needles if needle.sealed]
        self._matcher = Matcher(sealed)
        self._needles = {needle.placeholder: needle for needle in sealed}
        spelt = {name: value for each in sealed for name, value in _spelt(each)}
        self._values = {name.casefold(): value for name, value in spelt.items()} | spelt
        self._names = re.compile("|".join(map(re.escape, self._values)) or r"(?!)", re.IGNORECASE)

    # --- what the genie reads ---

    def hide(self, value: Json) -> Json:
        """A value without anything sealed: in texts, keys and numbers.

        A number that holds a sealed value becomes a text. Of something in base64 the whole gives
        way, because a part of it can't be read without the rest.
        """
        if not self._needles or not self._matcher.look(texts_in(value)):
            return value
        return self._all_hidden(value)

    def _all_hidden(self, value: Json) -> Json:
        match value:
            case str():
                return self._hidden(value)
            case dict():
                hidden: dict[str, Json] = {}
                for key, inner in cast(dict[str, Json], value).items():
                    hidden[_free(self._hidden(key), hidden)] = self._all_hidden(inner)
                return hidden
            case list():
                return [self._all_hidden(inner) for inner in cast(list[Json], value)]
            case bool() | None:
                return value
            case _:
                text = str(value)
                hidden_text = self._hidden(text)
                return value if hidden_text == text else hidden_text

    def _hidden(self, text: str) -> str:
        for _ in range(_ROUNDS):
            found = self._matcher.look(text)
            if not found:
                return text
            parts: list[str] = []
            end = 0
            for each in found:
                if each.start >= end:
                    parts += (text[end : each.start], each.needle.placeholder)
                    end = each.end
            text = "".join(parts) + text[end:]
        found = self._matcher.look(text)
        return found[0].needle.placeholder if found else text

    # --- what skills and recipients read ---

    def reveal(self, text: str) -> str:
        """A text with the values in place of their names.

        A name that is escaped, as in JSON or a URL, becomes the value escaped in the same way.
        """
        if not self._needles:
            return text
        return self._names.sub(self._value, text)

    def _value(self, name: re.Match[str]) -> str:
        return self._values.get(name[0]) or self._values[name[0].casefold()]

    def readings(self, given: Json) -> Iterator[Json]:
        """What a genie has given, with the values in place of their names.

        A name that stands alone for a number may be meant as a text or as the number, so there can
        be two readings; take the first that fits. JSON as a text is read first.
        """
        if not self._needles:
            yield given
            return
        if isinstance(given, str):
            with contextlib.suppress(ValueError):
                given = from_json(given)
        as_text = self._revealed(given, as_number=False)
        yield as_text
        as_number = self._revealed(given, as_number=True)
        if as_number != as_text:
            yield as_number

    def _revealed(self, value: Json, *, as_number: bool) -> Json:
        match value:
            case str() if as_number and value in self._needles:
                return self._needles[value].value
            case str():
                return self.reveal(value)
            case dict():
                items = cast(dict[str, Json], value).items()
                return {
                    self.reveal(key): self._revealed(inner, as_number=as_number)
                    for key, inner in items
                }
            case list():
                inner = cast(list[Json], value)
                return [self._revealed(each, as_number=as_number) for each in inner]
            case _:
                return value


def _spelt(needle: Needle) -> Iterator[tuple[str, str]]:
    """How a genie may spell a name, and how the value is then spelt."""
    name, text = needle.placeholder, needle.text
    yield name, text
    yield json.dumps(name)[1:-1], json.dumps(text)[1:-1]
    yield quote(name), quote(text, safe="")


def _free(key: str, taken: dict[str, Json]) -> str:
    """A key of an object that no other has: two may give way to the same name."""
    while key in taken:
        key += "'"
    return key
