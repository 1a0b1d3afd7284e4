"""Spreadsheets, by openpyxl: each sheet as CSV, formulas as what they last came to."""

from __future__ import annotations

import csv
import datetime
import io
import mimetypes
import warnings
from collections.abc import Iterator
from typing import Any

mimetypes.knownfiles.clear()  # openpyxl would look at the machine's own, outside what is readable

import openpyxl  # noqa: E402

from lampwork.files.readers import package  # noqa: E402
from lampwork.files.reads import gathered, over  # noqa: E402
from lampwork.settings import ReadingCaps  # noqa: E402


def read(content: bytes, caps: ReadingCaps) -> tuple[str, tuple[str, ...]]:
    """The sheets, each under its name. Raises Broken."""
    package.check(content, caps)
    warnings.simplefilter("ignore")
    book: Any = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    return gathered(_lines(book, caps), caps), ()


def _lines(book: Any, caps: ReadingCaps) -> Iterator[str]:
    cells = rows = 0
    for sheet in book.worksheets:
        hidden = "" if sheet.sheet_state == "visible" else " (hidden)"
        yield f"[sheet {sheet.title}{hidden}]\n"
        sheet.reset_dimensions()  # they are what the file says, and may be anything
        for row in sheet.iter_rows(values_only=True):
            rows += 1
            cells += sum(value is not None for value in row)
            if max(rows, cells) > caps.cells:
                raise over("cells", caps, "it has more cells or rows than are read")
            yield _line(row)
        yield "\n"


def _line(row: tuple[Any, ...]) -> str:
    last = max((i for i, value in enumerate(row, 1) if value is not None), default=0)
    if not last:
        return "\n"
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_shown(value) for value in row[:last]])
    return line.getvalue()


def _shown(value: Any) -> Any:
    match value:
        case datetime.datetime() if value.time() == datetime.time():
            return value.date().isoformat()
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case bool():
            return str(value).upper()
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case _:
            return value
