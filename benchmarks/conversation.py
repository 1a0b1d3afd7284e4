"""One long conversation in this process, and what it left on disk.

`python -m benchmarks.conversation SYSTEM PLACE… TURNS` prints one line of JSON; PLACE… are
`Place.words`.
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

from benchmarks.pages import PAGE_BYTES
from benchmarks.systems import Place

EDGE = 20
"""Turns at the beginning and at the end whose time is compared."""


@dataclass(frozen=True)
class Figures:
    stored: int
    """Bytes: what the place has grown by since it had its tables and nothing in them."""
    empty: int
    payload: int
    first_ms: float
    last_ms: float


def stored(place: Place) -> int:
    """Bytes of the database, or of the folder's files after checkpoints of write-ahead logs."""
    if place.url:
        import psycopg

        with psycopg.connect(place.url) as connection:
            found = connection.execute("select pg_database_size(current_database())").fetchone()
            return found[0] if found else 0
    for file in place.folder.rglob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(file.stat().st_size for file in place.folder.rglob("*") if file.is_file())


def per_turn_ms(began: Sequence[float]) -> float:
    return (began[-1] - began[0]) / (len(began) - 1) * 1000


def main(name: str, folder: str, url: str, server: str, turns: str) -> None:
    place = Place.read(folder, url, server)
    system = importlib.import_module(f"benchmarks.systems.{name}_conversation")
    asyncio.run(system.make(place))
    empty = stored(place)
    began = asyncio.run(system.converse(place, int(turns)))
    if len(began) != int(turns) + 1:
        raise AssertionError(f"{name}: {len(began)} model turns, not {turns} and the last word")
    figures = Figures(
        stored=stored(place) - empty,
        empty=empty,
        payload=int(turns) * PAGE_BYTES,
        first_ms=per_turn_ms(began[: EDGE + 1]),
        last_ms=per_turn_ms(began[-EDGE - 1 :]),
    )
    print(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main(*sys.argv[1:])
