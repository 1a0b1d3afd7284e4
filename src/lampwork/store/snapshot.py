"""A copy of a folder's databases, made while others write to them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from lampwork.errors import StoreUnavailable


def copy_databases(home: Path, to: Path) -> None:
    """Copy both databases, each as it is at one moment. Nobody waits for it. Blocks.

    Ours first: whatever the engine had recorded when a call of ours was written down is in the
    engine's copy then, and what else is there was recorded later and changes nothing. Raises
    StoreUnavailable.
    """
    try:
        for name in ("lampwork.db", "engine.db"):
            if (home / name).exists():
                _copy(home / name, to / name)
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{home} can't be copied to {to}: {error}. TMPDIR names a folder for temporary files."
        ) from error


def _copy(file: Path, to: Path) -> None:
    with (
        closing(sqlite3.connect(file, timeout=30)) as source,
        closing(sqlite3.connect(to)) as copy,
    ):
        source.backup(copy)
