"""Word documents, opened by python-docx. The text is walked through as XML: what was inserted under
tracked changes, and what stands in content controls and text boxes, is in no paragraph of its own.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import docx
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.parser import parse_xml

from lampwork.files.readers import package
from lampwork.files.reads import gathered
from lampwork.settings import ReadingCaps

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
"""The same text box once more, for old programs."""

_APART = (
    (RELATIONSHIP_TYPE.HEADER, "header"),
    (RELATIONSHIP_TYPE.FOOTER, "footer"),
    (RELATIONSHIP_TYPE.FOOTNOTES, "footnotes"),
    (RELATIONSHIP_TYPE.ENDNOTES, "endnotes"),
    (RELATIONSHIP_TYPE.COMMENTS, "comments"),
)


def read(content: bytes, caps: ReadingCaps) -> tuple[str, tuple[str, ...]]:
    """The body, then headers, footers, notes and comments, each under its name. Raises Broken."""
    package.check(content, caps)
    document = docx.Document(io.BytesIO(content))
    return gathered(_pieces(document), caps), ()


def _pieces(document: Any) -> Iterator[str]:
    yield from _text(document.element.body)
    for kind, name in _APART:
        for related in document.part.rels.values():
            if related.reltype == kind and not related.is_external:
                text = "".join(_text(parse_xml(related.target_part.blob))).strip()
                if text:
                    yield f"\n[{name}]\n{text}\n"


def _text(element: Any) -> Iterator[str]:
    """The text below an element, in order: a line per paragraph, a line per row of a table."""
    match element.tag:
        case tag if tag in (_FALLBACK, f"{_W}del", f"{_W}moveFrom"):
            return
        case tag if tag == f"{_W}t":
            yield element.text or ""
        case tag if tag in (f"{_W}tab", f"{_W}ptab"):
            yield "\t"
        case tag if tag in (f"{_W}br", f"{_W}cr"):
            yield "\n"
        case tag if tag == f"{_W}noBreakHyphen":
            yield "-"
        case tag if tag == f"{_W}tr":
            yield " | ".join(_cells(element)) + "\n"
        case tag if tag == f"{_W}p":
            for child in element:
                yield from _text(child)
            yield "\n"
        case tag if tag in (f"{_W}pPr", f"{_W}tabs"):
            return
        case _:
            for child in element:
                yield from _text(child)


def _cells(row: Any) -> Iterator[str]:
    for cell in row.iter(f"{_W}tc"):
        if next(cell.iterancestors(f"{_W}tr")) is row:  # not those of a table within a cell
            yield " ".join("".join(_text(cell)).split())
