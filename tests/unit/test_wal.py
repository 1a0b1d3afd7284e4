"""A folder's files are made by several processes at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from lampwork import wal
from lampwork.engine import migrate_tables
from lampwork.place import Folder
from lampwork.store.store import Store


def make_ours(folder: Path) -> None:
    Store(Folder(folder)).close()


def make_those_of_the_engine(folder: Path) -> None:
    migrate_tables(Folder(folder))


@pytest.mark.parametrize(
    ("file", "make"),
    [("lampwork.db", make_ours), ("engine.db", make_those_of_the_engine)],
)
def test_a_file_that_another_process_is_making_is_waited_for(
    file: str, make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """*SQLite refuses it at once, and the folder was said not to be writable.*"""
    path, refused = tmp_path / file, list[float]()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def let_go(seconds: float) -> None:
            refused.append(seconds)
            other.execute("COMMIT")

        clock = SimpleNamespace(monotonic=time.monotonic, sleep=let_go)
        monkeypatch.setattr(wal, "time", clock)
        make(tmp_path)

    assert len(refused) == 1
    with closing(sqlite3.connect(path)) as made:
        assert made.execute("PRAGMA journal_mode").fetchone() == ("wal",)
