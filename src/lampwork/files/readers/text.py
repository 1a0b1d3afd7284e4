"""Text as it is encoded today: UTF-8, UTF-16 and UTF-32 with their marks, Windows-1252."""

from __future__ import annotations

import codecs
import re

from lampwork.files.kinds import READABLE
from lampwork.files.reads import Broken, over
from lampwork.settings import ReadingCaps

_MARKS = (
    # UTF-32's little-endian mark begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)

_NO_TEXT = re.compile("[\0-\b\x0e-\x19\x1c-\x1f]")
"""Control characters that no text has: all but line ends, tabs, form feeds, DOS's end, escape."""


def read(content: bytes, caps: ReadingCaps) -> tuple[str, tuple[str, ...]]:
    """The text, and how it was encoded if that was guessed. Raises Broken."""
    text, notes = _decoded(content)
    if _NO_TEXT.search(text):
        raise Broken(f"it is neither text nor a kind of file that is read: {READABLE}")
    if len(text) > caps.characters:
        raise over("characters", caps, f"it has {len(text):,} characters")
    return text, notes


def _decoded(content: bytes) -> tuple[str, tuple[str, ...]]:
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding), ()
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise Broken(f"it is marked as {encoding} and is not: {error.reason}") from error
    try:
        return content.decode("cp1252"), ("read as Windows-1252, because it is no UTF-8",)
    except UnicodeDecodeError as error:
        raise Broken("it is no text in UTF-8, UTF-16 with its mark, or Windows-1252") from error
