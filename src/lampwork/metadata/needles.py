"""Metadata values as they are looked for in a text, in every form that a text may hold them in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from lampwork.metadata.encoded import View, as_typed, in_base64, may_be_typeset, typed, views
from lampwork.types import Json

__all__ = ["FEWEST", "Found", "Matcher", "Needle", "Path", "named", "needles", "within"]

Path = tuple[str | int, ...]
"""Where a value is in the metadata: its key, then keys and positions inside its JSON."""

FEWEST = 4
"""Characters of a value that is looked for: shorter ones stand in any text by chance."""

FEWEST_DIGITS = 5
"""Of a plain value made of digits: those with four are years and amounts."""

MOST = 200
"""Plain values of one task that are looked for; each takes 3 ms in a megabyte of text."""

_COMMON = frozenset(
    {
        "true",
        "false",
        "null",
        "none",
        "done",
        "open",
        "closed",
        "pending",
        "approved",
        "rejected",
        "active",
        "inactive",
        "enabled",
        "disabled",
        "default",
        "unknown",
        "other",
        "test",
        "live",
        "staging",
        "production",
        "high",
        "medium",
        "normal",
        "urgent",
        "name",
        "date",
        "text",
        "type",
        "user",
        "admin",
        "customer",
        "gold",
        "silver",
        "bronze",
        "basic",
        "free",
        "standard",
        "premium",
    }
)
"""Words that say nothing about a task where they stand."""


@dataclass(frozen=True, slots=True)
class Needle:
    """One value that is looked for."""

    path: Path
    key: str
    """`invoice_id`, or `customer.id` for a value inside another."""
    text: str
    value: Json
    """As recorded: a text, or a number."""
    sealed: bool

    @property
    def placeholder(self) -> str:
        """What stands for it where it is sealed."""
        return f"«{self.key}»"


@dataclass(frozen=True, slots=True)
class Found:
    """A needle in a text, from `start` to `end`."""

    needle: Needle
    form: str
    """`plain`, `case`, `json`, `url`, `typeset` (over the end of a line, accents apart), `base64`,
    or several with `+`, the outermost first."""
    start: int
    end: int


def needles(
    metadata: Mapping[str, Json], sealed: Collection[Path] = ()
) -> tuple[tuple[Needle, ...], dict[Path, str]]:
    """What is looked for, and of the other values why they are not."""
    wanted: list[Needle] = []
    others: dict[Path, str] = {}
    for path, leaf in _leaves(metadata):
        is_sealed = any(within(path, each) for each in sealed)
        text = _text(leaf)
        reason = _not_telling(leaf, text, is_sealed)
        if reason is None and not is_sealed and len(wanted) >= MOST:
            reason = f"of plain values only {MOST} are looked for"
        if reason is None:
            key = named(path)
            while any(key == each.key for each in wanted):
                key += "'"  # `a.b` is inside `a`, or a key with a dot
            wanted.append(Needle(path, key, text, leaf, is_sealed))
        else:
            others[path] = reason
    return tuple(wanted), others


def named(path: Path) -> str:
    """A path in words: `customer.id`."""
    return ".".join(map(str, path))


def within(path: Path, outer: Path) -> bool:
    """Whether a path is another one, or leads further."""
    return path[: len(outer)] == outer


def _leaves(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """The texts, numbers and the like inside a JSON value, each with its place."""
    match value:
        case dict():
            for key, inner in cast(dict[str, Json], value).items():
                yield from _leaves(inner, (*path, key))
        case list():
            for position, inner in enumerate(cast(list[Json], value)):
                yield from _leaves(inner, (*path, position))
        case _:
            yield path, value


def _text(leaf: Json) -> str:
    if isinstance(leaf, float) and leaf.is_integer():
        leaf = int(leaf)
    return str(leaf).strip()


def _not_telling(leaf: Json, text: str, sealed: bool) -> str | None:
    if leaf is None or isinstance(leaf, bool):
        return "true, false or null"
    if len(text) < FEWEST:
        return "too short to be telling"
    if sealed:
        return None
    if len(text) < FEWEST_DIGITS and re.fullmatch(r"[\d.,+-]+", text):
        return "too small a number to be telling"
    if text.casefold() in _COMMON:
        return "a common word"
    return None


class Matcher:
    """Finds the needles of one task in texts."""

    def __init__(self, needles: Sequence[Needle]) -> None:
        self.needles = tuple(needles)
        self.spaced = any(" " in needle.text for needle in needles)
        """Whether a `+` may stand for a space of a value."""
        self._folded = [(needle, typed(needle.text).casefold()) for needle in needles]
        self._encoded = [(each, form) for each in needles for form in in_base64(each.text)]
        names = [re.escape(each.placeholder) for each in needles if each.sealed]
        self._placeholders = re.compile("|".join(names)) if names else None

    def look(self, text: str) -> list[Found]:
        """Every place where the text holds a needle; the first and longest come first."""
        found: dict[tuple[Needle, int, int], Found] = {}
        for view in views(text, plus=self.spaced):
            for each in (*self._in(view), *self._in_typeset(view)):
                found.setdefault((each.needle, each.start, each.end), each)
        return sorted(found.values(), key=lambda each: (each.start, -each.end))

    def _in(self, view: View) -> list[Found]:
        text, folded = view.text, view.folded
        found = [
            (needle, "", *place)
            for needle, wanted in self._folded
            if wanted in folded
            for place in view.places(wanted)
        ]
        found += [
            (needle, "base64", *place)
            for needle, form in self._encoded
            if form.core in text
            for place in form.places(text)
        ]
        if not found:
            return []
        names = self._names(text)
        return [
            Found(needle, self._form(view, needle, form, start, end), *view.back(start, end))
            for needle, form, start, end in found
            if not any(first <= start and end <= last for first, last in names)
        ]

    def _in_typeset(self, view: View) -> list[Found]:
        if not may_be_typeset(view.text):
            return []
        text = view.text
        if self._placeholders is not None and "«" in text:
            text = self._placeholders.sub("«»", text)
        folded = typed(text).casefold()
        wanted = {needle for needle, text in self._folded if text in folded}
        if not wanted:
            return []
        exact = as_typed(view)
        found = self._in(exact) if exact is not None else []
        # Where it can't be told where it is, it is the whole text.
        lost = wanted.difference(each.needle for each in (*found, *self._in(view)))
        whole = view.back(0, len(view.text))
        return [*found, *(Found(needle, "typeset", *whole) for needle in lost)]

    def _names(self, text: str) -> list[tuple[int, int]]:
        """Where placeholders stand: a name such as «account» may hold a value, and gives none."""
        if self._placeholders is None or "«" not in text:
            return []
        return [each.span() for each in self._placeholders.finditer(text)]

    @staticmethod
    def _form(view: View, needle: Needle, form: str, start: int, end: int) -> str:
        if not form and view.text[start:end] not in (needle.text, typed(needle.text)):
            form = "case"
        return "+".join(filter(None, (view.form, form))) or "plain"
