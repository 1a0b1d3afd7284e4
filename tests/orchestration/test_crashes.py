"""An orchestration whose process is killed goes on with the same plan, and does nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.orchestration import crashing

from lampwork import testing


@pytest.mark.timeout(600)  # many processes
def test_six_subtasks_are_done_once_each_wherever_the_process_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = tmp_path / "book"
    monkeypatch.setenv("BOOK", str(book))
    report = testing.crash_everywhere(
        crashing.six,
        effects=crashing.effects,
        reset=lambda: book.unlink(missing_ok=True),
        at_most=5,
        timeout=120,
    )

    assert report.boundaries > 100
