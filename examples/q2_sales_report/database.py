"""The sales database as a genie may ask it: it reads, within bounds, and nothing else."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import make_data

ROWS = 500
SECONDS = 0.25
"""Of computing, so that a busy machine makes no good query a slow one."""

_READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}


class QueryRefused(Exception):
    """It would do something else than read."""


class QueryTooLarge(Exception):
    """It has more rows than anybody reads."""


class QueryTimedOut(Exception):
    """It computed for too long and was stopped."""


@dataclass(frozen=True)
class Table:
    columns: list[str]
    rows: list[tuple[Any, ...]]


def place() -> Path:
    """Where the database is; it is made when it is wanted for the first time."""
    default = Path(__file__).with_name("data") / "sales.db"
    path = Path(os.environ.get("SALES_DB", default)).resolve()
    if not path.exists():
        make_data.main(path)
    return path


def query(sql: str, values: tuple[Any, ...] = ()) -> Table:
    """What a SELECT finds. Raises QueryRefused, QueryTooLarge, QueryTimedOut."""
    with _read_only() as sales:
        try:
            found = sales.execute(sql, values)
            rows = found.fetchmany(ROWS + 1)
        except sqlite3.DatabaseError as error:
            match getattr(error, "sqlite_errorcode", None):
                case sqlite3.SQLITE_INTERRUPT:
                    said = f"the query was stopped after {SECONDS:g} s. Join fewer rows."
                    raise QueryTimedOut(said) from error
                case sqlite3.SQLITE_AUTH:
                    said = f"this database is for reading only: {error}. Ask with one SELECT."
                    raise QueryRefused(said) from error
                case _:
                    raise
    if len(rows) > ROWS:
        raise QueryTooLarge(f"the query finds more than {ROWS} rows. Group them, or use LIMIT.")
    return Table([column[0] for column in found.description or ()], rows)


@contextmanager
def _read_only() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{place().as_uri()}?mode=ro", uri=True)) as sales:
        until = time.thread_time() + SECONDS
        sales.set_authorizer(_only_reads)
        sales.set_progress_handler(lambda: time.thread_time() > until, 10_000)
        yield sales


def _only_reads(action: int, *_: Any) -> int:
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY
