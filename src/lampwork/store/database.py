"""What the store needs of a database: SQLite in a folder, or Postgres on a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from lampwork.place import Folder, Place
from lampwork.refusals import is_refusal, unfit
from lampwork.store.processes.session import Session

Change = Callable[[sa.Connection], Any]
"""Something that writes, inside a transaction."""

Hear = Callable[[frozenset[str] | None], None]
"""Called after another process has committed, with the topics of `news.py`; None for anything."""

Applied = tuple[Any, Exception | None]
"""What a change gave, or why it was refused."""


class Database(Protocol):
    """One database, with its tables."""

    writing: sa.Engine
    """For one connection, whose transactions write."""
    reading: sa.Engine
    """For transactions that read a snapshot."""

    def apply(
        self, connection: sa.Connection, changes: Sequence[Change], *, batch: int
    ) -> list[Applied]:
        """Apply changes inside a transaction; a refused one leaves no trace.

        The row of this writer says then which `batch` it was, for whoever loses the answer of the
        commit. Raises whatever makes the transaction itself worthless.
        """
        ...

    def outlast_writers(self, connection: sa.Connection) -> None:
        """Inside a transaction: wait until those that were writing have ended, whoever's."""
        ...

    def is_ruined_by(self, error: BaseException) -> bool:
        """Whether to go on after this error could acknowledge what is not on disk."""
        ...

    session: Session
    """By which others see who executes here; in a folder there is none."""

    is_here: Callable[[str], bool]
    """Whether the run of a job is in this process, so that no other need hear of it."""

    def watch(self, hear: Hear) -> None:
        """Call `hear`, in any thread, after another process has committed."""
        ...

    def look(self, connection: sa.Connection) -> None:
        """The writer has time to look whether another process has committed."""
        ...

    def compact(self) -> None:
        """Give free space back to the disk, while nobody writes."""
        ...

    def cut(self) -> None:
        """End the waiting for answers that do not come, in whatever threads."""
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...


def open_database(place: Place, *, writer_id: str) -> Database:
    """The database at a place, its tables up to date.

    Raises FolderNotWritable, DatabaseTooNew, DatabaseBehind, DatabaseNotSupported,
    DatabaseNotWritable, StoreUnavailable.
    """
    if isinstance(place, Folder):
        from lampwork.store.sqlite import Sqlite

        return Sqlite(place.path / "lampwork.db", writer_id)
    from lampwork.store.postgres import Postgres

    return Postgres(place, writer_id)


def migrate_database(place: Place) -> str | None:
    """Bring the tables up to date, or make them; the revision that they had. Blocks.

    Raises FolderNotWritable, DatabaseTooNew, DatabaseNotSupported, DatabaseNotWritable,
    StoreUnavailable.
    """
    if isinstance(place, Folder):
        from lampwork.store.migrations import folder

        return folder.prepare(place.path / "lampwork.db")
    from lampwork.store import postgres

    return postgres.migrate(place)


def apply_alone(connection: sa.Connection, change: Change) -> Applied:
    """Apply one change in a savepoint; a refused one leaves no trace.

    Raises whatever makes the transaction itself worthless.
    """
    # Straight to the driver, a third of the time: there are two of these to a change.
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT change")
    try:
        result = change(connection)
    except Exception as error:
        if is_refusal(error):
            raise
        driver.execute("ROLLBACK TO change")
        return None, unfit(error) or error
    driver.execute("RELEASE change")
    return result, None


def to_json(value: Any) -> str:
    """JSON as it is stored."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
