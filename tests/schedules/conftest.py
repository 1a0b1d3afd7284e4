"""A project and a folder for each schedule."""

from __future__ import annotations

from pathlib import Path

import pytest

from lampwork import Project


@pytest.fixture
def project() -> Project:
    return Project("test")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
