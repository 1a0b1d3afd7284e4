"""What kinds of file are read, what they are called, and which names lie about them."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Literal, get_args

Kind = Literal["pdf", "docx", "xlsx", "png", "jpeg", "gif", "webp", "html", "text"]

KINDS: tuple[Kind, ...] = get_args(Kind)
IMAGES: frozenset[Kind] = frozenset(("png", "jpeg", "gif", "webp"))
_TEXTS: frozenset[Kind] = frozenset(("html", "text"))

MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(;[ -~]*)?", re.ASCII)
"""What a media type looks like: it is sent in a header, so nothing else is taken for one."""

READABLE = "text, Markdown, CSV, XLSX, PDF, DOCX, PNG, JPEG, GIF and WebP"

_OFFICE = "application/vnd.openxmlformats-officedocument"

MEDIA_TYPES: dict[Kind, str] = {
    "pdf": "application/pdf",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "html": "text/html",
    "text": "text/plain",
}

_TEXT_SUFFIXES = {
    ".csv": "text/csv",
    ".htm": "text/html",
    ".html": "text/html",
    ".json": "application/json",
    ".log": "text/plain",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".svg": "image/svg+xml",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".xhtml": "text/html",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}

_SUFFIXES: dict[str, frozenset[Kind]] = {
    ".pdf": frozenset(("pdf",)),
    ".docx": frozenset(("docx",)),
    ".xlsx": frozenset(("xlsx",)),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp"), IMAGES),
    **dict.fromkeys(_TEXT_SUFFIXES, _TEXTS),
    # A login page that was saved in the place of a table is the commonest lie of all.
    **dict.fromkeys((".csv", ".tsv", ".json", ".yaml", ".yml"), frozenset[Kind](("text",))),
}


def suffix_of(name: str) -> str:
    """The end of a name, as names are known by: `.pdf`."""
    return PurePath(name).suffix.lower()


def lie(name: str, declared: str | None, kind: Kind) -> str | None:
    """What a file's name or its declared media type says that its content is not."""
    expected = _SUFFIXES.get(suffix_of(name))
    if expected is not None and kind not in expected:
        return f"it is named {suffix_of(name)}, but its content is {_called(kind)}"
    if declared and not MEDIA_TYPE.fullmatch(declared):
        return f"it was given as {declared[:80]!r}, which is no media type"
    if declared is not None and not _fits(declared, kind):
        return f"it was given as {declared}, but its content is {_called(kind)}"
    return None


def media_type(name: str, declared: str | None, kind: Kind) -> str:
    """The media type on record: by the content; of a text, by its name or as it was declared."""
    if kind not in _TEXTS:
        return MEDIA_TYPES[kind]
    if suffix_of(name) in _TEXT_SUFFIXES:
        return _TEXT_SUFFIXES[suffix_of(name)]
    return _essence(declared) if declared and not _unspecific(declared) else MEDIA_TYPES[kind]


def _fits(declared: str, kind: Kind) -> bool:
    essence = _essence(declared)
    if _unspecific(declared) or essence == MEDIA_TYPES[kind]:
        return True
    if kind in IMAGES:
        return essence == "image/jpg" and kind == "jpeg"
    if kind == "html":
        return essence in ("text/plain", "application/xhtml+xml", "application/xml")
    named = essence in _TEXT_SUFFIXES.values() or essence.startswith("text/")
    return kind == "text" and named and essence != "text/html"


def _essence(declared: str) -> str:
    return declared.partition(";")[0].strip().lower()


def _unspecific(declared: str) -> bool:
    return _essence(declared) in ("", "application/octet-stream", "binary/octet-stream")


def _called(kind: Kind) -> str:
    return "plain text" if kind == "text" else kind.upper()
