"""The source files of a project, and copies of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lampwork.versioning import sources
from lampwork.versioning.sources import SourceFile, Sources

LOOK = """
import importlib, json, sys
from dataclasses import asdict
from lampwork.versioning import sources
sys.path.insert(0, sys.argv[1])
reading = sources.Reading()
module = importlib.import_module(sys.argv[2])
reading.stop()
print(json.dumps(asdict(sources.sources_of("p", module, "project", reading.files))))
"""


def look(folder: Path, module: str) -> Sources:
    """The sources of a module, as a process that has imported it sees them."""
    words = [sys.executable, "-c", LOOK, str(folder), module]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    read: dict[str, Any] = json.loads(done.stdout)
    files = tuple(SourceFile(**each) for each in read.pop("files"))
    return Sources(**read | {"roots": tuple(read["roots"]), "files": files})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "shop" / "data").mkdir(parents=True)
    (folder / "shop" / "__init__.py").write_text(
        "from pathlib import Path\n"
        "from shop import rules\n"
        "here = Path(__file__).parent\n"
        "text = (here / 'clerk.md').read_text() + (here / 'data' / 'rates.csv').read_text()\n"
        "(here / 'written.md').write_text('by itself')\n"
        "project = 1\n"
    )
    (folder / "shop" / "data" / "rates.csv").write_text("old")
    (folder / "shop" / "rules.py").write_text("text = 'old'\n")
    (folder / "shop" / "later.py").write_text("text = 'old'\n")
    (folder / "shop" / "clerk.md").write_text("You are old.")
    (folder / "shop" / "test_rules.py").write_text("")
    (folder / "shop" / "data" / "prices.csv").write_text("old")
    (folder / "notes.md").write_text("Beside no module.")
    return folder


def test_they_are_modules_with_those_beside_them_and_what_they_read(project: Path) -> None:
    found = look(project, "shop")

    assert [each.place for each in found.files] == [
        "shop/__init__.py",
        "shop/clerk.md",
        "shop/data/rates.csv",
        "shop/later.py",
        "shop/rules.py",
    ]
    assert (found.roots, found.module) == ((str(project),), "shop")
    assert found.folders == {project / "shop", project / "shop" / "data"}


def test_each_edit_makes_another_code_and_going_back_the_same(project: Path) -> None:
    before = look(project, "shop")
    assert before.are_as_read()
    (project / "shop" / "clerk.md").write_text("You are new.")

    assert not before.are_as_read()
    assert look(project, "shop").code != before.code

    (project / "shop" / "clerk.md").write_text("You are old.")
    assert look(project, "shop").code == before.code


FROM_COPY = """
import importlib, json, sys, traceback
from pathlib import Path
from lampwork.versioning import sources
copies = Path(sys.argv[1])
read = sources.read_copy(copies, sys.argv[2])
sys.path.insert(0, str(sources.import_from_copy(copies, read)))
shop = importlib.import_module("shop")
import shop.later, shop.parts.wheel
try:
    shop.rules.fail()
except ZeroDivisionError:
    where = traceback.format_exc()
files = [module.__file__ for module in (shop, shop.later, shop.rules, shop.parts.wheel)]
texts = [shop.text, shop.rules.text, shop.later.text, shop.parts.wheel.text]
print(json.dumps([files, texts, shop.rules.__spec__.origin, where]))
"""


def test_a_copy_is_the_code_of_then_with_the_files_of_today(project: Path, tmp_path: Path) -> None:
    shop, copies = project / "shop", tmp_path / "code"
    (shop / "parts").mkdir()
    (shop / "parts" / "wheel.py").write_text("text = 'old'\n")
    (shop / "rules.py").write_text("text = 'old'\ndef fail(): return 1 / 0\n")
    with (shop / "__init__.py").open("a") as file:
        file.write("import shop.parts.wheel\n(here / 'shop.db').open('a').write('row')\n")
    found = look(project, "shop")
    assert sources.copy(found, copies)
    (shop / "rules.py").write_text("text = 'new'\n\ndef fail(): return 2 / 0\n")
    (shop / "later.py").write_text("text = 'new'\n")
    (shop / "clerk.md").write_text("New. ")
    (shop / "parts" / "wheel.py").unlink()
    (shop / "parts").rmdir()

    words = [sys.executable, "-c", FROM_COPY, str(copies), found.code]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    files, texts, origin, where = json.loads(done.stdout)

    names = ("__init__.py", "later.py", "rules.py", "parts/wheel.py")
    assert files == [str(shop / name) for name in names]
    assert texts == ["New. old", "old", "old", "old"]
    assert origin == str(shop / "rules.py")
    assert f'File "{shop / "rules.py"}", line 2, in fail\n    def fail(): return 1 / 0' in where
    assert (shop / "shop.db").read_text() == "rowrow"
    copied = {path.name for path in copies.rglob("*") if path.is_file()}
    assert copied == {"__init__.py", "later.py", "rules.py", "wheel.py", "sources.json"}
    assert not [path for path in copies.rglob("*") if path.is_symlink()]


def test_what_was_edited_since_it_was_read_is_not_copied(project: Path, tmp_path: Path) -> None:
    found = look(project, "shop")
    (project / "shop" / "rules.py").write_text("text = 'new'\n")

    assert not sources.copy(found, tmp_path / "code")

    assert list((tmp_path / "code").iterdir()) == []


@pytest.mark.parametrize("harm", ["other code", "no code", "other manifest"])
def test_a_copy_that_is_not_as_it_was_made_is_none_and_is_made_anew(
    project: Path, tmp_path: Path, harm: str
) -> None:
    found, copies = look(project, "shop"), tmp_path / "code"
    sources.copy(found, copies)
    rules, manifest = (copies / found.code / name for name in ("0/shop/rules.py", "sources.json"))
    match harm:
        case "other code":
            rules.write_text("text = 'evil'\n")
        case "no code":
            rules.unlink()
        case _:
            manifest.write_text(manifest.read_text().replace("rules.py", "later.py"))

    assert sources.read_copy(copies, found.code) is None
    assert sources.copy(found, copies)
    assert sources.read_copy(copies, found.code) == found
    assert rules.read_text() == "text = 'old'\n"


def test_copies_that_nobody_needs_are_removed(project: Path, tmp_path: Path) -> None:
    copies = tmp_path / "code"
    first = look(project, "shop")
    sources.copy(first, copies)
    (project / "shop" / "rules.py").write_text("text = 'new'\n")
    second = look(project, "shop")
    sources.copy(second, copies)
    assert sources.last_loaded(copies) == {}
    sources.mark_loaded(copies, second.code)
    assert sources.last_loaded(copies) == {"p": second.code}
    sources.mark_loaded(copies, first.code)
    sources.copy(second, copies)
    assert sources.last_loaded(copies) == {"p": first.code}

    sources.remove_copies(copies, but={second.code})

    assert [each.name for each in copies.iterdir()] == [second.code]
    assert sources.read_copy(copies, first.code) is None
    assert (project / "shop" / "data" / "prices.csv").exists()
