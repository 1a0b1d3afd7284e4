"""What every test starts from: settings of its own, none of the machine's."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LAMPWORK_MODEL", raising=False)
    monkeypatch.delenv("LAMPWORK_DB", raising=False)
    monkeypatch.setenv("LAMPWORK_HOME", str(tmp_path / ".lampwork"))
