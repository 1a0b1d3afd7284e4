"""What a Lampwork folder has on record, read from outside."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any


def rows(home: Path, query: str, *values: Any, file: str = "lampwork.db") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{home / file}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def until(reached: Callable[[], bool], what: str, patience: float) -> None:
    """Look every 20 ms. Raises TimeoutError."""
    end = time.monotonic() + patience
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {patience:.0f} s: {what}")
        time.sleep(0.02)
