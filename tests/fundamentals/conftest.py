"""How these pages open a project: in a folder of the test's own, parking at once when asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from lampwork import App, Project, Settings

Open = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture(autouse=True)
def _at_both_places(place: None) -> None:
    """All of these pages are true of a folder and of a server."""


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """`async with opened(project, park_after=0.0) as app`: the same place each time in a test."""

    def open(project: Project, **settings: Any) -> AbstractAsyncContextManager[App]:
        return project.open(settings=Settings.load(home=tmp_path / "state", **settings))

    return open
