"""Reading: what each kind of file says, the caps that bombs break, the lies that are found out."""

from __future__ import annotations

import asyncio
import io
import zipfile
from dataclasses import replace

import docx
import openpyxl
import pytest
from docx.oxml.parser import parse_xml
from pypdf import PdfWriter
from tests import documents

from lampwork.files import kinds, reading
from lampwork.files.reads import Broken, Read
from lampwork.settings import ReadingCaps

CAPS = ReadingCaps()


async def broken(content: bytes, caps: ReadingCaps = CAPS) -> Broken:
    """Why a file is not read."""
    with pytest.raises(Broken) as caught:
        await reading.read(content, caps)
    return caught.value


# --- each kind ---


async def test_each_kind_is_read_for_what_it_is():
    found = {name: await reading.read(content, CAPS) for name, content in documents.REAL.items()}

    assert found == {
        "notes.txt": Read("text", "Plain text."),
        "notes.md": Read("text", "# Über"),
        "table.csv": Read("text", "a,b\n1,2\n"),
        "po.pdf": Read("pdf", "[page 1]\nOrder PO-7\n\n[page 2]\nTotal 100\n\n"),
        "contract.docx": Read(
            "docx", "The parties agree.\nTerm | 24 months\n\n[header]\nConfidential\n"
        ),
        "ledger.xlsx": Read("xlsx", "[sheet Sheet]\na,b\n1,2026-04-01\n\n"),
        "chart.png": Read("png", None, ("30 by 20 pixels",)),
        "photo.jpg": Read("jpeg", None, ("30 by 20 pixels",)),
        "logo.gif": Read("gif", None, ("30 by 20 pixels",)),
        "scan.webp": Read("webp", None, ("30 by 20 pixels",)),
    }


@pytest.mark.parametrize(
    ("content", "text", "note"),
    [
        ("Größe €".encode(), "Größe €", ()),
        ("Größe €".encode("utf-8-sig"), "Größe €", ()),
        ("Größe €".encode("utf-16"), "Größe €", ()),
        ("Größe €".encode("utf-32"), "Größe €", ()),
        ("Größe €".encode("cp1252"), "Größe €", ("read as Windows-1252, because it is no UTF-8",)),
    ],
)
async def test_text_is_decoded_and_a_guess_is_said(content, text, note):
    assert await reading.read(content, CAPS) == Read("text", text, note)


async def test_of_a_spreadsheet_values_are_read_and_hidden_sheets_named():
    book = openpyxl.Workbook()
    first, hidden = book.active, book.create_sheet("Old")
    for value in (["x", None, 1.5, True, documents.A_DAY, "a,b"], [], ["=1+1"]):
        first.append(value)
    first["XFD9"] = "far"
    hidden.sheet_state = "hidden"
    hidden.append(["secret"])
    file = io.BytesIO()
    book.save(file)

    found = await reading.read(file.getvalue(), CAPS)

    lines = found.text.split("\n")
    assert lines[:4] == ["[sheet Sheet]", 'x,,1.5,TRUE,2026-04-01,"a,b"', "", ""]
    assert lines[9].endswith(",far")  # a formula that nobody has calculated has no value
    assert lines[-4:] == ["[sheet Old (hidden)]", "secret", "", ""]


async def test_of_a_word_document_no_text_is_left_out():
    """Insertions under tracked changes, content controls, nested tables; but no deletions."""
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = docx.Document()
    body = document.element.body
    for n, xml in enumerate(
        (
            f"<w:p {w}><w:ins><w:r><w:t>kept</w:t></w:r></w:ins>"
            f"<w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>",
            f"<w:sdt {w}><w:sdtContent><w:p><w:r><w:t>filled</w:t><w:tab/><w:t>in</w:t></w:r></w:p>"
            f"</w:sdtContent></w:sdt>",
            f"<w:tbl {w}><w:tr><w:tc><w:p/><w:tbl><w:tr><w:tc><w:p><w:r><w:t>inner</w:t></w:r>"
            f"</w:p></w:tc></w:tr></w:tbl></w:tc><w:tc><w:p><w:r><w:t>outer</w:t></w:r></w:p>"
            f"</w:tc></w:tr></w:tbl>",
        )
    ):
        body.insert(n, parse_xml(xml))
    document.add_comment(document.add_paragraph("end").runs, "Is this right?", "ann")
    file = io.BytesIO()
    document.save(file)

    found = await reading.read(file.getvalue(), CAPS)

    assert found.text == ("kept\nfilled\tin\ninner | outer\nend\n\n[comments]\nIs this right?\n")


async def test_a_pdf_that_anyone_may_read_and_nobody_change_is_read():
    """It is encrypted, under an empty password: so are most that banks send."""
    writer = PdfWriter(io.BytesIO(documents.pdf("Balance 7")))
    writer.encrypt("", "the owner's", algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)

    assert (await reading.read(file.getvalue(), CAPS)).text == "[page 1]\nBalance 7\n\n"


async def test_pages_without_any_text_are_said():
    found = await reading.read(documents.pdf("", ""), CAPS)

    assert found.notes == ("no text was found in its 2 pages: it may be scanned",)


# --- bombs, one of each kind ---

PDF, WORD, SHEET = documents.pdf("x"), documents.word("x"), documents.sheet(["x"])


@pytest.mark.parametrize(
    ("content", "cap"),
    [
        pytest.param(lambda: documents.zip_bomb(SHEET), "unpacked_bytes", id="zipped sheet"),
        pytest.param(lambda: documents.zip_bomb(WORD), "unpacked_bytes", id="zipped document"),
        pytest.param(documents.flate_bomb, "unpacked_bytes", id="flate"),
        pytest.param(lambda: documents.many_pages(501), "pages", id="pages"),
        pytest.param(documents.pixel_bomb, "pixels", id="png"),
        pytest.param(documents.jpeg_pixel_bomb, "pixels", id="jpeg"),
        pytest.param(lambda: b"a," * 1_000_001, "characters", id="one huge line"),
        pytest.param(lambda: b"\n" * 2_000_001, "characters", id="many rows"),
    ],
)
async def test_a_bomb_breaks_a_cap(content, cap):
    assert (await broken(content())).cap == cap


@pytest.mark.parametrize("package", [WORD, SHEET], ids=["document", "sheet"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_a_billion_laughs_are_not_laughed(package, encoding):
    part = "word/document.xml" if package is WORD else "xl/workbook.xml"
    bomb = documents.repacked(package, part, documents.LAUGHS.decode().encode(encoding))

    assert "declares entities" in (await broken(bomb)).problem


async def test_elements_in_elements_are_not_followed_down():
    bomb = documents.repacked(WORD, "word/document.xml", documents.deep_xml(100_000))

    assert "damaged" in (await broken(bomb)).problem


async def test_the_cells_of_a_sheet_are_counted():
    rows = documents.sheet(*([[1] * 10] * 11))

    assert (await broken(rows, replace(CAPS, cells=100))).cap == "cells"
    assert (await reading.read(rows, replace(CAPS, cells=110))).kind == "xlsx"


async def test_the_text_of_a_document_is_counted_as_it_comes():
    assert (await broken(documents.word("x" * 200), replace(CAPS, characters=100))).cap == (
        "characters"
    )


async def test_a_package_of_too_many_parts_is_not_opened():
    file = io.BytesIO(SHEET)
    with zipfile.ZipFile(file, "a") as package:
        for n in range(10_001):
            package.writestr(f"x{n}", b"")

    assert "parts" in (await broken(file.getvalue())).problem


# --- what is damaged, encrypted, or no file that is read ---


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (documents.pdf("x", password="secret"), "encrypted"),
        (PDF[: len(PDF) // 2], "damaged"),
        (b"%PDF-1.7 and nothing else", "damaged"),
        (WORD[: len(WORD) // 2], "damaged Office document"),
        (documents.repacked(WORD, "word/document.xml", b"<w:document"), "damaged"),
        (documents.repacked(SHEET, "xl/workbook.xml", b"<workbook"), "damaged"),
        (documents.image()[:40], "damaged"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "a program"),
        (b"MZ" + bytes(100), "a program"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, or one with a password"),
        (b"PK\x03\x04" + bytes(30), "an archive"),
        (b"a\0b", "neither text"),
        (b"\xff\xfeab\x00\xd8", "utf-16"),
        (bytes(range(128, 160)), "no text in UTF-8"),
    ],
)
async def test_what_is_no_file_that_is_read_says_why(content, problem):
    assert problem in (await broken(content)).problem


# --- lies ---

LIES = [
    ("report.pdf", None, "html", "it is named .pdf, but its content is HTML"),
    ("report.pdf", None, "text", "it is named .pdf, but its content is plain text"),
    ("table.csv", None, "png", "it is named .csv, but its content is PNG"),
    ("table.csv", None, "html", "it is named .csv, but its content is HTML"),
    ("photo.jpg", None, "pdf", "it is named .jpg, but its content is PDF"),
    ("letter.docx", None, "xlsx", "it is named .docx, but its content is XLSX"),
    ("report", "application/pdf", "text", "it was given as application/pdf, but its content is"),
    ("report", "text/csv", "html", "it was given as text/csv, but its content is HTML"),
    ("photo", "image/png", "jpeg", "it was given as image/png, but its content is JPEG"),
]


@pytest.mark.parametrize(("name", "declared", "kind", "problem"), LIES)
def test_a_name_or_a_type_that_lies_is_found_out(name, declared, kind, problem):
    assert (kinds.lie(name, declared, kind) or "").startswith(problem)


@pytest.mark.parametrize(
    ("name", "declared", "kind", "media_type"),
    [
        ("po.pdf", None, "pdf", "application/pdf"),
        ("PO.PDF", "application/pdf", "pdf", "application/pdf"),
        ("photo.png", None, "jpeg", "image/jpeg"),  # still an image, and recorded as what it is
        ("table.csv", None, "text", "text/csv"),
        ("table.csv", "text/plain; charset=utf-8", "text", "text/csv"),
        ("notes", "text/markdown", "text", "text/markdown"),
        ("notes", "application/octet-stream", "text", "text/plain"),
        ("notes.unheard-of", None, "text", "text/plain"),
        ("page.html", None, "html", "text/html"),
        ("page.txt", "text/plain", "html", "text/plain"),
    ],
)
def test_the_media_type_is_that_of_the_content(name, declared, kind, media_type):
    assert kinds.lie(name, declared, kind) is None
    assert kinds.media_type(name, declared, kind) == media_type


@pytest.mark.parametrize(
    "declared", ["text/x\r\nset-cookie: a=b", "text/\xe9", "text/a b", "text", "text/x; a=\x7f"]
)
def test_what_is_no_media_type_is_not_taken_for_one(declared):
    assert "no media type" in (kinds.lie("notes.dat", declared, "text") or "")


async def test_a_reading_that_nobody_waits_for_is_ended():
    slow = asyncio.create_task(reading.read(documents.REAL["po.pdf"], CAPS))
    await asyncio.sleep(0)
    slow.cancel()

    with pytest.raises(asyncio.CancelledError):
        await slow
