"""What the pages in docs/ show is run: examples, what they print, and what is typed.

A comment before a block says where it comes from: `<!-- docs/examples/x.py -->` before a file,
`<!-- part of … -->` before some of its lines, `<!-- prints … -->` before what it prints. Blocks of
`console` are typed one after the other, page by page, beside the example of the page's own name, or
else docs/examples/shop.py, as project.py. What a page shows as a file is saved there before what
stands below it is typed. A line that ends in … may go on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from tests.docs.terminal import DEADLINE, Terminal
from tests.warm import Warm

from lampwork import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))

_BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n\n?)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    source: str
    language: str
    text: str


BLOCKS = [
    Block(page.name, *found) for page in PAGES for found in _BLOCK.findall(page.read_text("utf-8"))
]
PYTHON = [block for block in BLOCKS if block.language == "python"]
PRINTED = {
    block.source.removeprefix("prints "): block
    for block in BLOCKS
    if block.source.startswith("prints ")
}


_PYTEST = ["-m", "pytest", "-c", os.devnull, "-p", "no:asyncio", "-p", "no:cacheprovider"]
"""As in a folder that has nothing of ours."""


def name_of(example: Path) -> str:
    return str(example.relative_to(ROOT))


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"{block.page} {block.source}")
def test_a_block_of_python_is_a_file_or_a_part_of_one(block: Block) -> None:
    assert block.source, f"{block.page}: say which file this is:\n{block.text}"
    text = (ROOT / block.source.removeprefix("part of ")).read_text("utf-8")
    if block.source.startswith("part of "):
        assert f"\n{block.text}" in f"\n{text}"
    else:
        assert block.text == text


def test_every_example_is_on_a_page() -> None:
    shown = {block.source.removeprefix("part of ") for block in PYTHON}

    assert [name for name in map(name_of, EXAMPLES) if name not in shown] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_an_example_prints_what_its_page_says(example: Path, tmp_path: Path, warm: Warm) -> None:
    program = _PYTEST if "test_" in example.name else ["-W", "error"]
    process = warm.start([*program, str(example)], cwd=tmp_path)
    out, errors = process.communicate(timeout=DEADLINE)

    assert process.returncode == 0, (out, errors)
    if program is _PYTEST:
        assert re.search(r"\d+ passed", out)
    else:
        assert errors == ""
        printed = PRINTED.get(name_of(example))
        assert out == (printed.text if printed else "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    linked = [page.parent / to for to in re.findall(r"\]\(([^)#:]+)(?:#.*?)?\)", text)]
    named = [ROOT / path for path in re.findall(r"`((?:tests|examples|src|docs)/[\w/.]+)`", text)]

    assert [str(path) for path in linked + named if not path.exists()] == []


# --- what is typed ---


@pytest.fixture
def terminal(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: Warm
) -> Iterator[Terminal]:
    monkeypatch.delenv("LAMPWORK_HOME")
    shop = DOCS / "examples" / "shop.py"
    own = DOCS / "examples" / Path(page).with_suffix(".py")
    example = own if own.exists() else shop
    (tmp_path / "project.py").write_text(example.read_text("utf-8"))
    (tmp_path / "shop.py").write_text(shop.read_text("utf-8"))
    (tmp_path / "q2.csv").write_text("region,sales\nnorth,7\nsouth,5\n")
    (tmp_path / "password.txt").write_text("correct horse battery\n")
    terminal = Terminal(tmp_path, warm)
    yield terminal
    terminal.close()


_TYPED = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
TYPED = [block for block in BLOCKS if block.language == "console"]


@pytest.mark.timeout(600)  # a dozen commands, each a process of its own
@pytest.mark.parametrize("page", sorted({block.page for block in TYPED}))
def test_what_is_typed_prints_what_the_page_says(page: str, terminal: Terminal) -> None:
    for block in BLOCKS:
        if block.page != page:
            continue
        if block.language == "python" and not block.source.startswith("part of "):
            (terminal.folder / Path(block.source).name).write_text(block.text)
        if block.language == "console":
            for line, shown in _TYPED.findall(block.text):
                terminal.enter(line, shown)


# --- tables ---


def test_every_setting_is_on_the_page() -> None:
    text = (DOCS / "running.md").read_text("utf-8")
    text = text.partition("**Settings.**")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)

    assert shown == [each.name for each in fields(Settings)]
