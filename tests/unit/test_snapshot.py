"""A folder's databases are copied while others write, and what can't be copied says why."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lampwork.errors import StoreUnavailable
from lampwork.place import Folder
from lampwork.store.snapshot import copy_databases
from lampwork.store.store import Store


async def test_a_copy_holds_what_was_committed_and_not_what_is_being_written(
    tmp_path: Path,
) -> None:
    home, to = tmp_path / "home", tmp_path / "copy"
    to.mkdir()
    store = Store(Folder(home))
    try:
        with sqlite3.connect(home / "lampwork.db") as other:
            other.execute("insert into logs values ('j1', 1, 0, 'committed')")
            other.commit()
            other.execute("insert into logs values ('j1', 2, 0, 'not yet')")
            copy_databases(home, to)
    finally:
        store.close()
    with sqlite3.connect(to / "lampwork.db") as copy:
        assert copy.execute("select message from logs").fetchall() == [("committed",)]
    assert [file.name for file in to.glob("engine*")] == []


def test_what_is_no_database_is_not_copied(tmp_path: Path) -> None:
    home, to = tmp_path / "home", tmp_path / "copy"
    home.mkdir()
    to.mkdir()
    (home / "lampwork.db").write_text("nonsense " * 1000)
    with pytest.raises(StoreUnavailable, match="can't be copied"):
        copy_databases(home, to)
