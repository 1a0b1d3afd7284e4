"""A file as a request shows it: framed, escaped, measured, and named where it is too long."""

from __future__ import annotations

import html
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from lampwork.models import Ask, Attached, Told, Turn, size
from lampwork.models.pieces import pieces_of

TURN = Turn("Read.", None, (), (), (), 1, ())


def ask(*files: Attached) -> Ask:
    """A request that shows these files."""
    told = (Told("Read.", files=files),)
    return Ask("t1", 2, "You read.", told, (), (), text_ends=True, wrapped=False, turn=TURN)


def attached(text: str | None, name: str = "po.txt", **facts: object) -> Attached:
    return Attached(name, "text/plain", "0" * 64, text, **facts)  # type: ignore[arg-type]


@given(st.text(), st.text(min_size=1))
def test_nothing_that_a_file_says_ends_its_frame(text, name):
    shown = attached(text, name).shown

    assert shown.count("<") == 2
    assert shown.count(">") == 2
    assert shown.startswith("<file name=")
    assert shown.endswith("\n</file>")
    assert html.unescape(shown.partition(">\n")[2].removesuffix("\n</file>")) == text


def test_a_frame_says_what_to_know_of_a_file():
    shown = attached("a & b", 'x"y.txt', notes=("read as Windows-1252, …", "guessed")).shown

    frame = ElementTree.fromstring(shown)
    assert frame.attrib == {
        "name": 'x"y.txt',
        "type": "text/plain",
        "note": "read as Windows-1252, …; guessed",
    }
    assert frame.text == "\na & b\n"


def test_a_request_is_as_long_as_its_files():
    """In bytes as they are sent, and an image at the most that any model counts for one."""
    empty = size(ask())
    text, image = attached("ü&" * 1000), attached(None, content=b"x")

    assert size(ask(text)) - empty == len(text.shown.encode()) > 7000
    assert size(ask(image)) - empty > 50_000


def test_each_part_of_a_file_is_scanned_under_its_name():
    files = (attached("says", notes=("a note",)), attached(None, "chart.png", content=b"x"))

    pieces = [(each.source, each.text) for each in pieces_of(Told("Read.", files=files))[1:]]

    assert [source for source, _ in pieces] == [
        "name of file po.txt",
        "file po.txt",
        "name of file chart.png",
        "image chart.png",
    ]
    assert pieces[1][1] == "says"
    assert "a note" in (pieces[0][1] or "")
    assert pieces[3][1] is None
