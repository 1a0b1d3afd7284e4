"""A folder and a short backoff for each program."""

from __future__ import annotations

from pathlib import Path

import pytest

from lampwork.worker import execution


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_BACKOFF", 0.01)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
