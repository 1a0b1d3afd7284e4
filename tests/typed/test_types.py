"""The public face as type checkers see it, in a user's project beside the installed wheel.

`bookshop/` has what they must infer, as `assert_type`, and `wrong.py` what they must refuse.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import defaultdict
from pathlib import Path

import pytest

import lampwork
from lampwork import testing

ROOT = Path(__file__).parents[2]
BOOKSHOP = Path(__file__).parent / "bookshop"
DEADLINE = 300.0

Errors = dict[tuple[str, int], set[str]]
"""The rules that are broken, by file and line."""

_WRONG = re.compile(r"^ *# wrong: (?P<pyright>[\w, ]+) \| (?P<mypy>[\w, -]+)$")

OURS = {
    f"{each.__module__}.{each.__qualname__}"
    for name in lampwork.__all__
    if isinstance(public := getattr(lampwork, name), type)
    for each in public.__mro__
    if each.__module__.startswith("lampwork.")
}
"""The classes of the public face, and what they inherit from."""

pytestmark = pytest.mark.timeout(DEADLINE)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bookshop, and an environment in which a wheel of ours is installed."""
    folder = tmp_path_factory.mktemp("installed")
    wheels, env = folder / "wheels", folder / "env"
    ran(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), at=ROOT)
    ran(sys.executable, "-m", "venv", "--without-pip", str(env), at=folder)
    (wheel,) = wheels.iterdir()
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(env))
    ran(*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel), at=folder)
    # What it depends on is where these tests have it. Ours comes first.
    (packages,) = env.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    shutil.copytree(BOOKSHOP, folder / "bookshop")
    return folder


def ran(*command: str, at: Path, fails: bool = False) -> str:
    """What a command prints, in the environment of `at`; without our sources on its path."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PATH"] = f"{at / 'env' / 'bin'}{os.pathsep}{env['PATH']}"
    done = subprocess.run(
        command, cwd=at, env=env, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0 or fails, done.stdout + done.stderr
    return done.stdout


def expected(checker: str) -> Errors:
    """What `wrong.py` says is wrong with it."""
    lines = (BOOKSHOP / "wrong.py").read_text().splitlines()
    return {
        ("wrong.py", number + 1): set(found[checker].split(", "))
        for number, line in enumerate(lines, 1)
        if (found := _WRONG.match(line))
    }


def gathered(found: list[tuple[str, int, str]]) -> Errors:
    errors: Errors = defaultdict(set)
    for file, line, rule in found:
        errors[Path(file).name, line].add(rule)
    return dict(errors)


def test_pyright_infers_and_refuses_what_a_reader_expects(installed: Path) -> None:
    strict = {"include": ["bookshop"], "strict": ["bookshop"]}
    (installed / "pyrightconfig.json").write_text(json.dumps(strict))
    python = str(installed / "env" / "bin" / "python")

    said = ran(
        *(sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", python),
        at=installed,
        fails=True,
    )

    assert expected("pyright") == gathered(
        [
            (each["file"], each["range"]["start"]["line"] + 1, each.get("rule", each["message"]))
            for each in json.loads(said)["generalDiagnostics"]
        ]
    )


def test_mypy_infers_and_refuses_what_a_reader_expects(installed: Path) -> None:
    python = str(installed / "env" / "bin" / "python")

    said = ran(
        *(sys.executable, "-m", "mypy", "--strict", "--output=json", "--python-executable", python),
        "bookshop",
        at=installed,
        fails=True,
    )

    errors = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert expected("mypy") == gathered(
        [
            (each["file"], each["line"], each["code"])
            for each in errors
            if each["severity"] == "error"
        ]
    )


def test_nothing_of_the_public_face_is_left_to_be_guessed(installed: Path) -> None:
    # As type checkers do, each in its own way, where an annotation is missing.
    said = ran(
        *(sys.executable, "-m", "pyright", "--outputjson"),
        *("--verifytypes", "lampwork", "--ignoreexternal"),
        at=installed,
        fails=True,
    )

    found = {
        each["name"]: [found["message"] for found in each["diagnostics"]]
        for each in json.loads(said)["typeCompleteness"]["symbols"]
    }
    classes = {name for name in found if name.startswith(tuple(OURS))}
    assert classes >= OURS
    assert [(name, found[name]) for name in classes if "is missing" in str(found[name])] == []


def test_the_bookshop_does_what_its_types_say(installed: Path) -> None:
    python = str(installed / "env" / "bin" / "python")

    said = ran(
        *(python, "-m", "pytest", "-c", os.devnull, "-p", "no:asyncio", "-p", "no:cacheprovider"),
        "bookshop",
        at=installed,
    )

    assert "5 passed" in said


def test_the_bookshop_uses_every_public_name() -> None:
    used: set[str] = set()
    for file in BOOKSHOP.glob("*.py"):
        if file.name != "wrong.py":
            for node in ast.walk(ast.parse(file.read_text())):
                match node:
                    case ast.ImportFrom(module="lampwork", names=names):
                        used |= {each.name for each in names}
                    case ast.Attribute(value=ast.Name(id="testing"), attr=name):
                        used.add(name)

    unused = {*lampwork.__all__, *testing.__all__} - used
    assert unused == set(), "Say in bookshop/inferred.py what type checkers should infer of them."
