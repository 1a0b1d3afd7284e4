"""What each test would make anew is made once per process: a folder's tables, compiled statements.

Nearly every test opens a project in a folder of its own. Half of the CPU of that went into the
revisions of the tables, and half of the rest into statements that the test before had compiled.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos._sys_db_sqlite import SQLiteSystemDatabase

from lampwork.engine import migrate_tables
from lampwork.place import Folder
from lampwork.store.migrations import folder

_revise = folder.upgrade
_revise_engine = SQLiteSystemDatabase.run_migrations


def use() -> None:
    """From now on, in this process and its forks."""
    folder.upgrade = _upgrade
    SQLiteSystemDatabase.run_migrations = _run_migrations
    sa.event.listen(sa.Engine, "engine_connect", _share_compiled)


@contextlib.contextmanager
def by_revisions() -> Iterator[None]:
    """For a while tables are made as they are for users."""
    folder.upgrade, SQLiteSystemDatabase.run_migrations = _revise, _revise_engine
    try:
        yield
    finally:
        folder.upgrade, SQLiteSystemDatabase.run_migrations = _upgrade, _run_migrations


# --- tables ---


def _upgrade(connection: sa.Connection) -> None:
    if not _fill(connection, "lampwork.db"):
        _revise(connection)


def _run_migrations(database: SQLiteSystemDatabase) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("begin immediate")
        filled = _fill(connection, "engine.db")
    if not filled:
        _revise_engine(database)


def _fill(connection: sa.Connection, name: str) -> bool:
    """Make the tables in an empty database, in the transaction that has begun; whether it was."""
    if connection.exec_driver_sql("select 1 from sqlite_master").first() is not None:
        return False
    driver: Any = connection.connection.driver_connection
    for statement in tables()[name]:
        driver.execute(statement)
    return True


@functools.cache
def tables() -> dict[str, list[str]]:
    """Of each database of a folder, what makes its tables as the revisions do."""
    with by_revisions(), tempfile.TemporaryDirectory(prefix="lampwork-tables-") as made:
        place = Folder(Path(made))
        folder.prepare(place.path / "lampwork.db")
        migrate_tables(place)
        return {name: _dump(place.path / name) for name in ("lampwork.db", "engine.db")}


def _dump(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        _begin, *statements, _commit = connection.iterdump()
    return statements


# --- statements ---


class _Compiled(MutableMapping[Any, Any]):
    """The statements that were compiled for databases like one another, by whichever engine.

    SQLAlchemy's own keys begin with the dialect, of which each engine has one of its own.
    """

    def __init__(self) -> None:
        self._compiled: dict[Any, Any] = {}

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return self._compiled[key[1:]]

    def __setitem__(self, key: tuple[Any, ...], value: Any) -> None:
        self._compiled[key[1:]] = value

    def __delitem__(self, key: tuple[Any, ...]) -> None:
        del self._compiled[key[1:]]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._compiled)

    def __len__(self) -> int:
        return len(self._compiled)


@functools.cache
def _compiled(_dialect: type[sa.Dialect], _to_json: Callable[..., str] | None) -> _Compiled:
    return _Compiled()


def _share_compiled(connection: sa.Connection) -> None:
    dialect: Any = connection.dialect
    shared = _compiled(type(dialect), dialect._json_serializer)
    connection.execution_options(compiled_cache=shared)
