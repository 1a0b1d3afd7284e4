"""Real files of each kind that a task may be given, and the bombs of each kind."""

from __future__ import annotations

import datetime
import io
import struct
import zipfile
import zlib

import docx
import openpyxl
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas


def pdf(*pages: str, password: str | None = None) -> bytes:
    """A PDF with a line of text on each page."""
    file = io.BytesIO()
    canvas = Canvas(file, encrypt=StandardEncryption(password) if password else None)
    for text in pages:
        canvas.drawString(100, 700, text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def word(*paragraphs: str) -> bytes:
    """A Word document with these paragraphs, a table and a header."""
    file, document = io.BytesIO(), docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Term", "24 months"
    document.sections[0].header.paragraphs[0].text = "Confidential"
    document.save(file)
    return file.getvalue()


def sheet(*rows: list[object]) -> bytes:
    """A spreadsheet with these rows."""
    file, book = io.BytesIO(), openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def image(kind: str = "PNG") -> bytes:
    """A small image."""
    file = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(file, kind)
    return file.getvalue()


A_DAY = datetime.date(2026, 4, 1)

REAL: dict[str, bytes] = {
    "notes.txt": b"Plain text.",
    "notes.md": "# Über".encode(),
    "table.csv": b"a,b\n1,2\n",
    "po.pdf": pdf("Order PO-7", "Total 100"),
    "contract.docx": word("The parties agree."),
    "ledger.xlsx": sheet(["a", "b"], [1, A_DAY]),
    "chart.png": image("PNG"),
    "photo.jpg": image("JPEG"),
    "logo.gif": image("GIF"),
    "scan.webp": image("WEBP"),
}
"""One of each kind, by a name that fits it."""


# --- bombs ---


def repacked(package: bytes, part: str, content: bytes) -> bytes:
    """An Office document with one part replaced, or added."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(file, "w") as new:
        for each in old.infolist():
            if each.filename != part:
                new.writestr(each, old.read(each))
        new.writestr(part, content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def zip_bomb(package: bytes) -> bytes:
    """An Office document with a part that unpacks to 300 MB."""
    return repacked(package, "media/zeros.bin", bytes(300_000_000))


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "%s">%s]><l>&j;</l>""" % (
    b"ha" * 10,
    b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)),
)
"""A billion laughs: entities of entities."""


def deep_xml(depth: int) -> bytes:
    """Elements in elements."""
    return b"<a>" * depth + b"</a>" * depth


def flate_bomb() -> bytes:
    """A PDF whose only page unpacks to 300 MB."""
    packed = zlib.compress(bytes(300_000_000), 9)
    return _pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R"
        b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed),
    )


def many_pages(count: int) -> bytes:
    """A PDF that lists one page very often."""
    kids = b"3 0 R " * count
    return _pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    )


def _pdf_of(*objects: bytes) -> bytes:
    out, places = b"%PDF-1.4\n", list[int]()
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (count, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table) + trailer


def pixel_bomb() -> bytes:
    """A PNG of a few bytes that says it has 3.6 billion pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1000))
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def jpeg_pixel_bomb() -> bytes:
    """A JPEG whose frame header says that it has 4.2 billion pixels."""
    real = bytearray(image("JPEG"))
    frame = real.index(b"\xff\xc0")
    real[frame + 5 : frame + 9] = b"\xff\xdc\xff\xdc"
    return bytes(real)
