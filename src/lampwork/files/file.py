"""What a user gives in `files=`, checked as far as code and arguments alone can tell."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, PlainSerializer

from lampwork.errors import FileRejected, InputInvalid, TooManyFiles, quoted
from lampwork.files import names
from lampwork.files.artifact import Artifact
from lampwork.files.snapshot import Snapshot

__all__ = ["AT_MOST", "Address", "File", "Given", "Source", "check"]

AT_MOST = 10
"""Files of one task."""

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


def _from_base64(content: Any) -> Any:
    return base64.b64decode(content, validate=True) if isinstance(content, str) else content


def _to_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


_Content = Annotated[bytes, BeforeValidator(_from_base64), PlainSerializer(_to_base64)]
"""Bytes that are recorded: in base64, as JSON has none."""


@dataclass(frozen=True, slots=True)
class File:
    """A file by its content: `File("po.pdf", content)`. A step may return one.

    What it is, is told by the content; a `media_type` that says otherwise is refused.
    """

    name: str
    content: _Content = field(repr=False)
    media_type: str | None = None


Given = str | os.PathLike[str] | File | Artifact
"""What `files=` takes: a path or an address, a file by its content, an artifact of a task."""


@dataclass(frozen=True, slots=True)
class Address:
    """A file by its address, which is fetched when it is taken, if the project allows it."""

    url: str
    name: str
    """The last part of the path."""

    @classmethod
    def of(cls, url: str) -> Address:
        """An address as it was given. Raises FileRejected."""
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError as error:
            raise _rejected(url, f"it is no address: {error}") from error
        if parts.scheme.lower() not in ("http", "https") or not host:
            raise _rejected(url, "only http:// and https:// addresses are fetched")
        name = unquote(parts.path.rstrip("/").rpartition("/")[2])
        return cls(url, _plain(name or host))


Source = Path | File | Artifact | Address | Snapshot
"""A file as it was given, checked; a Snapshot where it has been taken already."""


def check(given: Iterable[Given | Source]) -> tuple[Source, ...]:
    """The files of an assignment. No disk is looked at. Raises TooManyFiles, FileRejected."""
    if isinstance(given, str | bytes | os.PathLike | File | Artifact):
        raise InputInvalid("files= takes a list, also of one file: files=[…].")
    sources = tuple(_source(each) for each in given)
    if len(sources) > AT_MOST:
        raise TooManyFiles(
            f"A task takes {AT_MOST} files at the most, and these are {len(sources)}. "
            "Assign several tasks, or put them together.",
            files=len(sources),
        )
    seen: set[str] = set()
    for each in sources:
        if each.name.casefold() in seen:
            raise _rejected(each.name, "another file of the task has that name. Rename one of them")
        seen.add(each.name.casefold())
    return sources


def _source(given: Any) -> Source:
    match given:
        case Snapshot() | Address():
            return given
        case File() | Artifact():
            if isinstance(given, File) and not isinstance(cast(Any, given.content), bytes):
                kind = type(given.content).__name__
                raise _rejected(given.name, f"its content is {kind}, not bytes")
            name = _plain(given.name)
            if isinstance(given, Artifact):
                return Artifact(name, given.media_type, given.digest, given.size)
            return replace(given, name=name)
        case str() | os.PathLike():
            text = os.fspath(cast("str | os.PathLike[str]", given))
            if _URL.match(text):
                return Address.of(text)
            path = Path(text)
            _plain(path.name)
            return path
        case _:
            raise InputInvalid(
                f"files= takes paths, File(name, content) and artifacts, not {given!r}."
            )


def _plain(name: Any) -> str:
    try:
        return names.plain(name)
    except (TypeError, ValueError) as error:
        raise _rejected(name, f"{error}. Pass it as File(name, content) under another") from error


def _rejected(name: Any, why: str) -> FileRejected:
    return FileRejected(f"File {quoted(name)} is rejected: {why}.", file=str(name)[:220], cap=None)
