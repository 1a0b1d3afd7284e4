"""DBOS on SQLite or Postgres with a sync at every commit: what both peers on DBOS open.

DBOS opens its SQLite file with a rollback journal; WAL is a property of the file, so it is set
before DBOS comes, and the engine stays DBOS's own. `synchronous` is SQLite's default, FULL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import sqlalchemy
from dbos import DBOS

from benchmarks import durability
from benchmarks.systems import Place


@contextmanager
def launched(place: Place) -> Iterator[str]:
    """Launch DBOS from the running loop, as its documentation does; yields the durability."""
    url = place.url or _sqlite(place)
    instance = DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})
    DBOS.launch()
    try:
        asked = durability.questions(place.url)
        with instance._sys_db.engine.connect() as connection:
            facts = [connection.execute(sqlalchemy.text(it)).scalar_one() for it in asked]
        yield durability.described(place.url, facts)
    finally:
        DBOS.destroy()


def _sqlite(place: Place) -> str:
    file = place.folder / "engine.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return f"sqlite:///{file}"
