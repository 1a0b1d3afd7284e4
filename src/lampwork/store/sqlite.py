"""SQLite: `lampwork.db` in a folder, in WAL mode, synced at every commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from lampwork import clock
from lampwork.store.database import Applied, Change, Hear, apply_alone, to_json
from lampwork.store.migrations import folder
from lampwork.store.processes.session import Session


class Sqlite:
    """The database of a folder."""

    def __init__(self, path: Path, writer_id: str) -> None:
        """Create or migrate the file. Raises FolderNotWritable, DatabaseTooNew."""
        folder.prepare(path)
        self._path = path
        self._writer_id = writer_id
        self.writing = _engine(path, begin="BEGIN IMMEDIATE", pool_size=1)
        self.reading = _engine(path, begin="BEGIN", pool_size=4)
        self.session = Session()
        self.is_here: Callable[[str], bool] = lambda _job_id: False
        self._hear: list[Hear] = []
        self._version: int | None = None

    def apply(
        self, connection: sa.Connection, changes: Sequence[Change], *, batch: int
    ) -> list[Applied]:
        """Apply each change in a savepoint, which costs microseconds here."""
        applied = [apply_alone(connection, change) for change in changes]
        driver: Any = connection.connection.driver_connection  # straight, for each commit does it
        driver.execute(_MARK, (self._writer_id, batch, clock.now()))
        return applied

    def outlast_writers(self, connection: sa.Connection) -> None:
        """To begin a transaction here is to have waited."""

    def is_ruined_by(self, error: BaseException) -> bool:
        """After an I/O error, or on a full disk, nobody knows what is in the file."""
        cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CORRUPT)

    def watch(self, hear: Hear) -> None:
        """Call `hear`, in the writer's thread, after another process has committed."""
        self._hear.append(hear)

    def look(self, connection: sa.Connection) -> None:
        """On the writer's own connection the number moves only with other processes' commits."""
        driver: Any = connection.connection.driver_connection
        version: int = driver.execute("PRAGMA data_version").fetchone()[0]
        if self._version is not None and version != self._version:
            for hear in self._hear:
                hear(None)
        self._version = version

    def compact(self) -> None:
        """Write the file anew, without what is free in it. Raises sqlite3.OperationalError."""
        with closing(sqlite3.connect(self._path, timeout=5)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def cut(self) -> None:
        """A file answers."""

    def close(self) -> None:
        """Close the file."""
        self.writing.dispose()
        self.reading.dispose()


_PRAGMAS = (
    "busy_timeout=30000",
    "journal_mode=WAL",
    "synchronous=FULL",
    # What a savepoint would take back becomes a file from 64 KiB on, which is eight pages, else.
    "temp_store=MEMORY",
)

_MARK = (
    "insert into writers (id, batch, at) values (?, ?, ?) "
    "on conflict (id) do update set batch = excluded.batch, at = excluded.at"
)


def _engine(path: Path, *, begin: str, pool_size: int) -> sa.Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}",
        pool_size=pool_size,
        max_overflow=0,
        json_serializer=to_json,
        hide_parameters=True,  # they are users' values; an error's text is logged and shown
        connect_args={"isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
