"""A copy of a folder's databases, made while others write to them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def copy_databases(home: Path, to: Path) -> None:
    """Copy both databases, each as it is at one moment. Nobody waits for it. Blocks.

    Ours first: whatever the engine had recorded when a call of ours was written down is in the
    engine's copy then, and what else is there was recorded later and changes nothing.
    """
    for name in ("lampwork.db", "engine.db"):
        if (home / name).exists():
            with (
                closing(sqlite3.connect(home / name, timeout=30)) as source,
                closing(sqlite3.connect(to / name)) as copy,
            ):
                source.backup(copy)
