"""One long conversation in this process, and what it left on disk.

`python -m benchmarks.conversation SYSTEM FOLDER TURNS` prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.pages import PAGE_BYTES

EDGE = 20
"""Turns at the beginning and at the end whose time is compared."""


@dataclass(frozen=True)
class Figures:
    stored: int
    """Bytes of all files in the folder, after a checkpoint of each write-ahead log."""
    payload: int
    first_ms: float
    last_ms: float


def stored(folder: Path) -> int:
    for file in folder.rglob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def per_turn_ms(began: Sequence[float]) -> float:
    return (began[-1] - began[0]) / (len(began) - 1) * 1000


def main(name: str, folder: str, turns: str) -> None:
    system = importlib.import_module(f"benchmarks.systems.{name}_conversation")
    began = asyncio.run(system.converse(Path(folder), int(turns)))
    if len(began) != int(turns) + 1:
        raise AssertionError(f"{name}: {len(began)} model turns, not {turns} and the last word")
    figures = Figures(
        stored=stored(Path(folder)),
        payload=int(turns) * PAGE_BYTES,
        first_ms=per_turn_ms(began[: EDGE + 1]),
        last_ms=per_turn_ms(began[-EDGE - 1 :]),
    )
    print(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main(*sys.argv[1:])
