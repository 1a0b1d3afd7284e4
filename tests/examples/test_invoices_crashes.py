"""The invoice story under a user's crash test: each invoice is handled once wherever it dies."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from invoices.project import review_pending_invoices
from lampwork import testing

from .conftest import EXAMPLES


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The books of the accounting service, which a test may look into and set back."""
    file = tmp_path / "books.db"
    command = [sys.executable, "-m", "invoices.accounting", "--port", "0", "--books", str(file)]
    with subprocess.Popen(command, cwd=EXAMPLES, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            monkeypatch.setenv("ACCOUNTING_URL", json.loads(service.stdout.readline())["url"])
            yield file
        finally:
            service.terminate()


@pytest.mark.timeout(600)
def test_each_invoice_is_handled_once_wherever_the_process_dies(books: Path) -> None:
    def effects() -> list[testing.Effect]:
        with closing(sqlite3.connect(books)) as opened:
            rows = opened.execute("select invoice, action, key from effects").fetchall()
        return [testing.Effect(f"{action} {invoice}", key) for invoice, action, key in rows]

    def reset() -> None:
        with closing(sqlite3.connect(books, isolation_level=None)) as opened:
            opened.execute("delete from effects")
            opened.execute("update invoices set status = 'pending'")

    report = testing.crash_everywhere(
        review_pending_invoices, effects=effects, reset=reset, at_most=6, seed=2, timeout=120
    )

    assert report.failed == []
    assert sum(each.reached for each in report.crashes) >= 5
    assert report.boundaries > 150
