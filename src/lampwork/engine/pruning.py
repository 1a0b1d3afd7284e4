"""Deleting the engine's records of jobs that are gone, from any process."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from dbos import DBOSClient

from lampwork.engine.database import open_tables
from lampwork.engine.serializer import JsonSerializer, refuse_pickle
from lampwork.place import Folder, Place
from lampwork.refusals import persistently, told


def delete_records(place: Place, job_ids: Sequence[str]) -> None:
    """Delete what is recorded of these jobs; those it does not know are passed over. Blocks.

    Raises StoreUnavailable.
    """
    if not job_ids or (isinstance(place, Folder) and not _file(place).exists()):
        return
    refuse_pickle()
    engine = open_tables(place)
    try:
        with told(place):
            persistently(lambda: _delete(engine, list(job_ids)))
    finally:
        engine.dispose()


def _delete(engine: sa.Engine, job_ids: list[str]) -> None:
    client = DBOSClient(system_database_engine=engine, serializer=JsonSerializer())
    try:
        client.delete_workflows(job_ids)
    finally:
        client.destroy()


def compact(folder: Folder) -> None:
    """Give free space of the engine's file back to the disk. Raises sqlite3.OperationalError."""
    if _file(folder).exists():
        with closing(sqlite3.connect(_file(folder), timeout=5)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def used(folder: Folder) -> int:
    """The bytes of the engine's file that are not free. Blocks."""
    if not _file(folder).exists():
        return 0
    with closing(sqlite3.connect(_file(folder), timeout=30)) as connection:
        size, pages, free = (
            connection.execute(f"PRAGMA {what}").fetchone()[0]
            for what in ("page_size", "page_count", "freelist_count")
        )
        return size * (pages - free)


def _file(folder: Folder) -> Path:
    return folder.path / "engine.db"
