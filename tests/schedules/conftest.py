"""A project and a folder for each schedule; what the database let down is tried again at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.schedules.scheduling import Clock
from tests.support import NEVER

from lampwork import Project
from lampwork.store import postgres
from lampwork.worker import execution


@pytest.fixture(autouse=True)
def _at_both_places(place: None) -> None:
    """Each schedule is kept in a folder and on a server, unless it is marked as one of theirs."""


@pytest.fixture(autouse=True)
def _no_looks_for_what_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a server a process looks at everything now and then; that is no part of a schedule."""
    monkeypatch.setattr(postgres, "_LOOK_EVERY", NEVER)


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_BACKOFF", 0.02)


@pytest.fixture
def project() -> Project:
    return Project("test")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def clock() -> Clock:
    return Clock()
