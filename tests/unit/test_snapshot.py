"""A folder's databases are copied while others write, and what can't be copied says why."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from lampwork.errors import StoreUnavailable
from lampwork.place import Folder
from lampwork.store.store import Store
from lampwork.store.upkeep.snapshot import copy_databases


def test_a_copy_holds_what_was_committed(tmp_path: Path) -> None:
    home, to = tmp_path / "home", tmp_path / "copy"
    to.mkdir()
    store = Store(Folder(home))
    try:
        with sqlite3.connect(home / "lampwork.db") as other:
            other.execute("insert into logs values ('j1', 1, 0, 'committed')")
        copy_databases(home, to)
    finally:
        store.close()
    with closing(sqlite3.connect(to / "lampwork.db")) as copy:
        assert copy.execute("select message from logs").fetchall() == [("committed",)]
    assert [file.name for file in to.glob("engine*")] == []


def test_both_files_are_copied_as_they_are_at_one_moment(tmp_path: Path) -> None:
    """One thread writes to ours, then to the engine's, and so on; a copy never tells otherwise."""
    home = tmp_path / "home"
    home.mkdir()
    names, written, over = ("lampwork.db", "engine.db"), threading.Event(), threading.Event()

    def write() -> None:
        with (
            closing(sqlite3.connect(home / names[0], isolation_level=None, timeout=30)) as ours,
            closing(sqlite3.connect(home / names[1], isolation_level=None, timeout=30)) as theirs,
        ):
            for file in (ours, theirs):
                file.execute("pragma journal_mode=wal")
                file.execute("pragma synchronous=off")
                # Enough to copy that much is written meanwhile.
                file.execute("create table filling as select zeroblob(4000000) as zeros")
                file.execute("create table counts as select 0 as n")
            while not over.is_set():
                for file in (ours, theirs):
                    file.execute("update counts set n = n + 1")
                written.set()

    writing = threading.Thread(target=write)
    writing.start()
    assert written.wait(60)
    ahead: list[int] = []
    try:
        for number in range(20):
            to = tmp_path / f"copy {number}"
            to.mkdir()
            copy_databases(home, to)
            counts = [_count(to / name) for name in names]
            ahead.append(counts[0] - counts[1])
    finally:
        over.set()
        writing.join()

    assert set(ahead) <= {0, 1}


def _count(file: Path) -> int:
    with closing(sqlite3.connect(file)) as copy:
        return copy.execute("select n from counts").fetchone()[0]


def test_what_is_no_database_is_not_copied(tmp_path: Path) -> None:
    home, to = tmp_path / "home", tmp_path / "copy"
    home.mkdir()
    to.mkdir()
    (home / "lampwork.db").write_text("nonsense " * 1000)
    with pytest.raises(StoreUnavailable, match="can't be copied"):
        copy_databases(home, to)
