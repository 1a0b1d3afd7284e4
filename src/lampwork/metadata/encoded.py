"""Texts inside texts: JSON-escaped, URL-encoded, typeset and in base64, wherever they are."""

from __future__ import annotations

import base64
import functools
import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote_plus

__all__ = ["InBase64", "View", "as_typed", "in_base64", "may_be_typeset", "typed", "views"]

_DEEPEST = 3
"""Encodings, one inside the other, as in JSON inside a JSON text inside a URL."""

_Decode = Callable[[re.Match[str]], str]


@dataclass(frozen=True)
class View:
    """A text, or what it says once it is decoded."""

    text: str
    form: str = ""
    """How it was decoded: `json`, `url`, `typeset`, or several with `+`, the outermost first."""
    within: View | None = None
    """What it was decoded from, by `decode` of each match of `pattern`."""
    pattern: re.Pattern[str] | None = None
    decode: _Decode | None = None

    @cached_property
    def folded(self) -> str:
        """The text without letter case."""
        return self.text.casefold()

    def places(self, folded: str) -> Iterator[tuple[int, int]]:
        """Where a value stands, given without letter case."""
        start = self.folded.find(folded)
        while start >= 0:
            end = start + len(folded)
            yield self._folds.back(start, end) if self._folds else (start, end)
            start = self.folded.find(folded, end)

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Where a span of the text stands in the text that all was decoded from."""
        if self.within is None:
            return start, end
        return self.within.back(*self._decodings.back(start, end))

    def decoded(self, form: str, pattern: re.Pattern[str], decode: _Decode) -> View | None:
        """The view with these encodings decoded; None if it holds none."""
        text, count = pattern.subn(decode, self.text)
        if not count:
            return None
        return View(text, f"{self.form}+{form}" if self.form else form, self, pattern, decode)

    @cached_property
    def _decodings(self) -> _Map:
        assert self.within is not None
        assert self.pattern is not None
        assert self.decode is not None
        found = self.pattern.finditer(self.within.text)
        return _Map((each.start(), each.end(), len(self.decode(each))) for each in found)

    @cached_property
    def _folds(self) -> _Map | None:
        """Letters such as ß are two without case; none becomes shorter."""
        if len(self.folded) == len(self.text):
            return None
        lengths = ((i, len(letter.casefold())) for i, letter in enumerate(self.text))
        return _Map((i, i + 1, length) for i, length in lengths if length > 1)


class _Map:
    """From places in a text to those in the text that it was made of."""

    def __init__(self, changed: Iterable[tuple[int, int, int]]) -> None:
        """`changed` are the spans that became something else, in order, and their new lengths."""
        self._begins: list[int] = []
        self._spans: list[tuple[int, int, int]] = []
        """How long a changed span is now; where it began and ended."""
        ahead = 0  # how much further the old text is
        for start, end, length in changed:
            self._begins.append(start - ahead)
            self._spans.append((length, start, end))
            ahead += end - start - length

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The old span of a new one."""
        return self._letter(start)[0], self._letter(end - 1)[1]

    def _letter(self, position: int) -> tuple[int, int]:
        before = bisect_right(self._begins, position) - 1
        if before < 0:
            return position, position + 1
        length, start, end = self._spans[before]
        beyond = position - self._begins[before] - length
        return (start, end) if beyond < 0 else (end + beyond, end + beyond + 1)


# --- escapes ---

_JSON = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}"
    r'|["\\/bfnrt])'
)
_URL = re.compile(r"%[0-7][0-9a-fA-F]|(?:%[89a-fA-F][0-9a-fA-F])+")
_URL_AND_PLUS = re.compile(_URL.pattern + r"|\+")


def views(text: str, *, plus: bool) -> Iterator[View]:
    """The text, and what it says once decoded. `plus` says that `+` may be a space."""
    now = [View(text)]
    for _ in range(_DEEPEST + 1):
        yield from now
        now = [deeper for view in now for deeper in _deeper(view, plus)]


def _deeper(view: View, plus: bool) -> Iterator[View]:
    if "\\" in view.text and (found := view.decoded("json", _JSON, _from_json)):
        yield found
    if "%" in view.text or (plus and "+" in view.text):
        pattern = _URL_AND_PLUS if plus else _URL
        if found := view.decoded("url", pattern, _from_url):
            yield found


def _from_json(found: re.Match[str]) -> str:
    return json.loads(f'"{found[0]}"')


def _from_url(found: re.Match[str]) -> str:
    return unquote_plus(found[0], errors="replace")


# --- how a text is set ---

_NO_WIDTH = re.compile(r"[\u00ad\u200b-\u200d\u2060\ufeff]+")
_HYPHEN_AT_THE_END = re.compile(r"-[^\S\n]*\n\s*")
_TYPESET = re.compile(
    rf"(?P<hyphen>{_HYPHEN_AT_THE_END.pattern})|[^\S ]\s*| \s+|{_NO_WIDTH.pattern}|"
    r"(?P<accented>\w[\u0300-\u036f]+)"
)


def typed(text: str) -> str:
    """A text as it would be typed.

    That is without letters of no width, each accent in its letter, one space between words, and
    what a line ends with on a hyphen in one piece.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", _NO_WIDTH.sub("", text))
    if "-" in text:
        text = _HYPHEN_AT_THE_END.sub("-", text)
    return " ".join(text.split())


def may_be_typeset(text: str) -> bool:
    """Whether it could differ from how it would be typed."""
    return not text.isascii() or any(each in text for each in ("\n", "  ", "\t", "\r"))


def as_typed(view: View) -> View | None:
    """A view that reads nearly as `typed` does, and knows its places; ten times as slow."""
    return view.decoded("typeset", _TYPESET, _from_typeset)


def _from_typeset(found: re.Match[str]) -> str:
    if found["accented"]:
        return unicodedata.normalize("NFC", found[0])
    if found["hyphen"]:
        return "-"
    return " " if found[0].isspace() else ""


# --- base64 ---

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BOTH = {"+": "[+-]", "-": "[+-]", "/": "[/_]", "_": "[/_]"}
"""Those that differ between the alphabets."""
_IN_A_RUN = frozenset(_ALPHABET + "-_")
_RUN = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")

_LONGEST = 48
"""Bytes of a value that are looked for in base64: so many don't come together by chance."""


@dataclass(frozen=True, slots=True)
class InBase64:
    """What a value looks like inside base64."""

    core: str
    """The characters that depend on the value alone."""
    before: str
    """Of the character before them, which is one of several: a regular expression."""
    after: str

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it is: each stretch of base64 that holds it, whole."""
        pattern = self.before + "".join(_BOTH.get(each, each) for each in self.core) + self.after
        end = -1
        for found in re.finditer(pattern, text):
            if found.start() < end:
                continue
            start = found.start()
            while start > 0 and text[start - 1] in _IN_A_RUN:
                start -= 1
            run = _RUN.match(text, start)
            assert run is not None
            end = run.end()
            yield start, end


def in_base64(value: str) -> Iterator[InBase64]:
    """What a value may look like inside base64, in the standard and in the URL-safe alphabet.

    Three bytes make four characters, so it looks different after 0, 1 and 2 other bytes. Of a
    letter case that is not its own, only all small and all capital are known. RFC 4648.
    """
    for written in dict.fromkeys((value, value.lower(), value.upper())):
        for ahead in range(3):
            yield from _after(ahead, written.encode()[:_LONGEST])


def _after(ahead: int, value: bytes) -> Iterator[InBase64]:
    text = base64.b64encode(bytes(ahead) + value).decode()
    first, shared = divmod(8 * ahead, 6)  # bits of the character that it shares with what precedes
    last, own = divmod(8 * (ahead + len(value)), 6)  # bits of the one that it shares with the next
    core = text[first + bool(shared) : last]
    before = _alike(text[first], 63 >> shared) if shared else ""
    after = _alike(text[last], 63 & ~(63 >> own)) if own else ""
    for alphabet in dict.fromkeys((core, core.replace("+", "-").replace("/", "_"))):
        yield InBase64(alphabet, before, after)


@functools.cache
def _alike(letter: str, known: int) -> str:
    """The letters that have the same bits where these are known."""
    wanted = _ALPHABET.index(letter) & known
    alike = [each for bits, each in enumerate(_ALPHABET) if bits & known == wanted]
    return f"[{''.join(alike)}]".replace("+", r"+\-").replace("/", "/_")
