"""PDF, by pypdf, whose own limits stand behind ours."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

from pypdf import PdfReader
from pypdf.errors import LimitReachedError

from lampwork.files.reads import Broken, gathered, over
from lampwork.settings import ReadingCaps

logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def read(content: bytes, caps: ReadingCaps) -> tuple[str, tuple[str, ...]]:
    """The text of the pages, each under its number. Raises Broken."""
    try:
        document = PdfReader(io.BytesIO(content))
        if document.is_encrypted and not document.decrypt(""):
            raise Broken("it is encrypted; save it without a password")
        pages = len(document.pages)
        if pages > caps.pages:
            raise over("pages", caps, f"it has {pages:,} pages")
        texts = [page.extract_text().strip() for page in document.pages]
    except LimitReachedError as error:
        raise Broken(f"it unpacks to more than is read: {error}", "unpacked_bytes") from error
    notes = () if any(texts) else (f"no text was found in its {pages} pages: it may be scanned",)
    return gathered(_marked(texts), caps), notes


def _marked(texts: list[str]) -> Iterator[str]:
    for number, text in enumerate(texts, 1):
        yield f"[page {number}]\n{text}\n\n"
