"""Brings the tables of a folder's `lampwork.db` up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lampwork.errors import FolderNotWritable, RestoreRefused, StoreUnavailable
from lampwork.store.migrations import HEAD, check_known, upgrade
from lampwork.wal import use_wal

MOVING = "restoring"
"""The folder from which a backup is moved into place; while it is there, nothing is whole."""

_PATIENCE = 30.0
"""Seconds for which another process is waited for that makes the tables, or changes them."""


def prepare(path: Path) -> str | None:
    """Create or migrate the database; the revision that it had.

    Raises FolderNotWritable, DatabaseTooNew, RestoreRefused; then nothing was changed.
    """
    if (path.parent / MOVING).exists():
        raise RestoreRefused(
            f"A restore into {path.parent} was interrupted when half of it was in place. Do it "
            "again, with --replace."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        found = _revision(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise FolderNotWritable(
            f"{path.parent} can't hold the state: {error}. "
            "Make it writable, or name another folder with --home or LAMPWORK_HOME."
        ) from error
    except sqlite3.DatabaseError as error:
        raise StoreUnavailable(
            f"{path} can't be read: {error}. "
            "Bring a backup back, or name another folder with --home or LAMPWORK_HOME."
        ) from error
    if found != HEAD:
        check_known(found, path, "name another folder with --home")
        _upgrade(path)
    return found


def _revision(path: Path) -> str | None:
    # Read by hand: alembic takes 0.2 s to import, and nearly every start finds the head.
    connection = sqlite3.connect(path, timeout=_PATIENCE)
    try:
        # Before the file has a page: entries of 2 KB fill pages of 8 KB to 1.4 times their size,
        # and pages of 4 KB to more than twice.
        connection.execute("PRAGMA page_size=8192")
        use_wal(connection, _PATIENCE)
        connection.execute("BEGIN IMMEDIATE")
        table = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        if connection.execute(table).fetchone() is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return row[0] if row else None
    finally:
        connection.rollback()
        connection.close()


def _upgrade(path: Path) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"isolation_level": None, "timeout": _PATIENCE}
    )
    try:
        with engine.connect() as connection:
            # One transaction, taken at once: two processes that start together migrate in turn.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            upgrade(connection)
            connection.exec_driver_sql("COMMIT")
    finally:
        engine.dispose()
