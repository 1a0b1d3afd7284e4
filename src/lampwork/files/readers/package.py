"""What Word documents and spreadsheets are packed in: a zip archive of XML, checked as a whole."""

from __future__ import annotations

import io
import zipfile

from lampwork.errors import quoted
from lampwork.files.reads import Broken, over
from lampwork.settings import ReadingCaps

_PARTS = 10_000
"""Files in a package at the most; a long document has some hundreds."""

_PIECE = 1024 * 1024

_DECLARATION = b"<!DOCTYPE"
"""ECMA-376 allows no document type declaration in a package, and each XML bomb needs one."""


def check(content: bytes, caps: ReadingCaps) -> None:
    """Raise Broken if it unpacks to too much, or if its XML declares entities.

    What a part unpacks to is what it says, because zipfile stops there.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        parts = package.infolist()
        if len(parts) > _PARTS:
            raise Broken(f"it is packed of {len(parts):,} parts, and {_PARTS:,} is the most")
        unpacked = sum(part.file_size for part in parts)
        if unpacked > caps.unpacked_bytes:
            raise over("unpacked_bytes", caps, f"it unpacks to {unpacked:,} bytes")
        if any(part.flag_bits & 1 for part in parts):
            raise Broken("it is encrypted; save it without a password")
        for part in parts:
            if part.filename.lower().endswith((".xml", ".rels", ".vml")):
                _check_xml(package, part)


def _check_xml(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    with package.open(part) as stream:
        before = b""
        while piece := stream.read(_PIECE):
            plain = piece.replace(b"\0", b"")  # in UTF-16, every other byte
            if _DECLARATION in before + plain:
                raise Broken(f"its part {quoted(part.filename)} declares entities, as bombs do")
            before = plain[-len(_DECLARATION) :]
