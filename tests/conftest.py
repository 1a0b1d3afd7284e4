"""What every test starts from: settings of its own, none of the machine's."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

# The same examples each time, however slow the machine: what fails, fails for everybody.
hypothesis.settings.register_profile("here", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("here")


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LAMPWORK_MODEL", raising=False)
    monkeypatch.delenv("LAMPWORK_DB", raising=False)
    monkeypatch.setenv("LAMPWORK_HOME", str(tmp_path / ".lampwork"))
