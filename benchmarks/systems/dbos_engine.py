"""DBOS on SQLite with an fsync at every commit: what both peers on DBOS open.

DBOS opens its file with a rollback journal; WAL is a property of the file, so it is set before
DBOS comes, and the engine stays DBOS's own. `synchronous` is SQLite's default, FULL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy
from dbos import DBOS

from benchmarks.durability import PRAGMAS, described


@contextmanager
def launched(folder: Path) -> Iterator[str]:
    """Launch DBOS from the running loop, as its documentation does; yields the durability."""
    file = folder / "engine.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    url = f"sqlite:///{file}"
    instance = DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})
    DBOS.launch()
    try:
        with instance._sys_db.engine.connect() as connection:
            facts = [connection.execute(sqlalchemy.text(it)).scalar_one() for it in PRAGMAS]
        yield described(*facts)
    finally:
        DBOS.destroy()
