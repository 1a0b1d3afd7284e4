"""`lampwork init DIR`: a project that runs as it is, and that never writes over anything."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

FILES = [".gitignore", "README.md", "project.py", "test_project.py"]


def shell(words: str, folder: Path) -> str:
    """What a line typed into a shell prints, with this Python first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", words],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done
    return done.stdout


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_what_it_says_to_type_next_works_as_it_is(lampwork: Any) -> None:
    done = lampwork("init", "parcels")
    shown = lampwork.json("init", "other")

    assert done.code == 0
    first, *following = done.out.splitlines()
    assert first == (
        "Project parcels is in parcels: project.py, test_project.py, README.md, .gitignore. Next:"
    )
    assert [line.strip().replace("parcels", "other") for line in following] == shown["next"]
    assert shown == {
        "project": "other",
        "folder": str(lampwork.folder / "other"),
        "files": ["project.py", "test_project.py", "README.md", ".gitignore"],
        "next": shown["next"],
    }
    typed = shell("\n".join(following), lampwork.folder)
    assert '"voucher": 5' in typed
    assert "Project parcels (1 recipe, 1 genie, 1 skill): nothing to find fault with." in typed
    assert typed.endswith("2 tests passed\n")


def test_its_readme_is_short_and_names_commands_that_there_are(lampwork: Any) -> None:
    following = lampwork.json("init", "parcels")["next"]

    lines = (lampwork.folder / "parcels" / "README.md").read_text().splitlines()
    typed = [line.partition("#")[0].strip() for line in lines if line.startswith("    ")]
    assert len(lines) <= 10
    assert set(following[1:]) < set(typed)
    for line in typed:
        if line.startswith("lampwork"):
            assert lampwork(line.split()[1], "--help").code == 0, line


def test_its_test_passes_with_pytest_too(lampwork: Any) -> None:
    lampwork("init", "parcels")

    typed = "python -m pytest -q -p no:cacheprovider"

    assert "2 passed" in shell(typed, lampwork.folder / "parcels")


@pytest.mark.parametrize(
    ("code", "changed", "line"),
    [
        (" = (order, euros)", " = (order.lower(), euros)", "assert list(VOUCHERS.values()) == ["),
        ("is on its way", "for {order} is on its way", "assert all("),
    ],
)
def test_its_test_fails_when_metadata_goes_astray(
    lampwork: Any, code: str, changed: str, line: str
) -> None:
    lampwork("init", "parcels")
    project = lampwork.folder / "parcels" / "project.py"
    assert code in project.read_text()
    project.write_text(project.read_text().replace(code, changed))

    said = shell("python test_project.py 2>&1 || true", project.parent)

    assert f"    {line}" in said
    assert said.endswith("AssertionError\n")


def test_an_empty_folder_becomes_a_project_of_its_name(lampwork: Any) -> None:
    folder = lampwork.folder / "My Café (2)"
    folder.mkdir()

    made = replace(lampwork, folder=folder).json("init", ".")

    assert made["project"] == "my_cafe_2"
    assert made["next"][0].startswith("lampwork run answer_customer")
    assert names_in(folder) == FILES
    assert 'Project("my_cafe_2")' in (folder / "project.py").read_text()
    assert (folder / "README.md").read_text().startswith("# my_cafe_2\n")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("parcels", ["--name", "a\n"]),
        ("parcels", ["--name", 'a"b']),
        ("parcels", ["--name", ""]),
        ("project.py/parcels", []),
        ("project.py", []),
        ("/proc/parcels", []),
    ],
)
def test_what_can_not_be_is_refused_with_exit_code_2(
    lampwork: Any, folder: str, name: list[str]
) -> None:
    before = names_in(lampwork.folder)

    done = lampwork("init", folder, *name)

    assert done.code == 2
    assert "Invalid value for" in done.err
    assert "Traceback" not in done.err
    assert names_in(lampwork.folder) == before


def test_a_file_that_is_in_the_way_is_named_and_left_as_it_is(lampwork: Any) -> None:
    folder = lampwork.folder / "mine"
    folder.mkdir()
    (folder / "README.md").write_text("mine")

    done = lampwork("init", "mine")

    assert done.code == 2
    assert "mine/README.md is there already, and is left as it is." in done.err
    assert names_in(folder) == ["README.md"]
    assert (folder / "README.md").read_text() == "mine"


def test_other_files_in_the_folder_are_no_hindrance(lampwork: Any) -> None:
    (lampwork.folder / "mine").mkdir()
    (lampwork.folder / "mine" / "LICENSE").write_text("mine")

    assert lampwork("init", "mine", "--name", "My-shop").code == 0

    assert names_in(lampwork.folder / "mine") == sorted([*FILES, "LICENSE"])


def test_of_a_project_that_can_not_be_written_whole_nothing_stays(lampwork: Any) -> None:
    # The kernel lets no file grow beyond 1 KiB, as a full disk would; the second one is larger.
    typed = "ulimit -f 1; python -m lampwork init deep/down || exit 0; exit 1"

    shell(typed, lampwork.folder)

    assert names_in(lampwork.folder) == ["project.py"]
