"""What a file is, by its bytes: its name and what a sender says of it count for nothing here."""

from __future__ import annotations

import io
import zipfile

from lampwork.files.kinds import Kind

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)

_WORD = b"wordprocessingml.document.main+xml"
_SHEET = b"spreadsheetml.sheet.main+xml"

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xd0\xcf\x11\xe0", "an old Office document, or one with a password"),
    (b"{\\rtf", "an RTF document"),
    (b"\x1f\x8b", "an archive"),
    (b"7z\xbc\xaf\x27\x1c", "an archive"),
    (b"Rar!", "an archive"),
    (b"SQLite format 3\x00", "a database"),
)

_LARGEST_CONTENTS = 1024 * 1024
"""Bytes of a package's list of contents, which is read to know what the package is."""

_HEAD = 1024
"""Bytes at the beginning of a file among which a PDF must begin, as readers of PDF have it."""


def recognised(content: bytes) -> Kind | None:
    """The kind of a file by its bytes; `text` is what is no other kind, and None what may be text.

    Raises ValueError, saying what it is, for a kind that nobody reads here.
    """
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "webp"
    if content[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n\f\0").startswith(b"%PDF-"):
        return "pdf"
    if content.startswith(b"PK\x03\x04"):
        return _packed(content)
    for magic, what in _OTHERS:
        if content.startswith(magic):
            raise ValueError(what)
    return None


def _packed(content: bytes) -> Kind:
    try:
        with (
            zipfile.ZipFile(io.BytesIO(content)) as package,
            package.open("[Content_Types].xml") as contents,
        ):
            listed = contents.read(_LARGEST_CONTENTS)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError):
        raise ValueError("an archive, or a damaged Office document") from None
    if _WORD in listed:
        return "docx"
    if _SHEET in listed:
        return "xlsx"
    raise ValueError("an Office document of another kind")


def kind_of_text(text: str) -> Kind:
    """Whether a text is a page of HTML."""
    beginning = text[:_HEAD].lstrip().lower()
    return "html" if beginning.startswith(("<!doctype html", "<html")) else "text"
