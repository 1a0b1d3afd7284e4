"""The engine's own file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import pytest

from lampwork.engine import database
from lampwork.place import Folder


def test_it_can_be_opened_while_another_process_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / "engine.db", isolation_level=None)) as other:
        other.execute("create table made (id integer)")
        other.execute("begin immediate")
        other.execute("insert into made values (1)")
        # Of this module alone: what is left of other tests may sleep as well.
        clock = SimpleNamespace(monotonic=monotonic, sleep=lambda _seconds: other.execute("commit"))
        monkeypatch.setattr(database, "time", clock)
        engine = database.open_tables(Folder(tmp_path))

        with engine.connect() as connection:
            mode = connection.exec_driver_sql("pragma journal_mode").scalar()

        engine.dispose()
    assert mode == "wal"
