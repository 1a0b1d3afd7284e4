"""SQLite files in WAL mode: who reads keeps nobody from writing."""

from __future__ import annotations

import sqlite3
import time

__all__ = ["use_wal"]

_PAUSE = 0.01
"""Seconds between two tries."""


def use_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Into WAL mode, as soon as others let it, for so many seconds.

    SQLite calls no busy handler for this change: where two processes make a file, one of them is
    refused at once. Raises sqlite3.OperationalError.
    """
    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
