"""What is in the wheel and the sdist, and what their metadata says."""

from __future__ import annotations

import re
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """The wheel's own description."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith("/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {each for each in archive.namelist() if ".dist-info/" not in each}

    files = (each for each in (SOURCE / "lampwork").rglob("*") if each.is_file())
    ours = {str(each.relative_to(SOURCE)) for each in files if "__pycache__" not in each.parts}
    assert held == ours
    # What is no Python module, and would be missed late.
    assert {
        "lampwork/py.typed",
        "lampwork/cli/starter/gitignore",
        "lampwork/store/migrations/versions/0001_first.py",
    } < held


def test_the_sdist_can_be_built_tested_and_read(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {each.partition("/")[2] for each in archive.getnames()}

    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "requirements.lock"}
    assert wanted < held
    assert {"scripts/test", "tests/conftest.py", "docs/running.md"} < held
    assert not [each for each in held if each.startswith((".venv", ".lampwork", ".cache"))]


def test_the_metadata_says_what_it_is_and_names_no_private_host(metadata: Message) -> None:
    assert metadata["Name"] == "lampwork"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    described = metadata.get_payload()
    assert isinstance(described, str)
    assert described.startswith("# Lampwork")
    said = "\n".join(map(str, metadata.values())) + described
    assert set(re.findall(r"https?://([^/\s)\"'>]+)", said)) <= {"localhost:11434"}
