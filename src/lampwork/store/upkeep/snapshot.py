"""A copy of a folder's databases, made while others write to them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from lampwork import clock
from lampwork.errors import StoreUnavailable

DATABASES = ("lampwork.db", "engine.db")
"""The files that belong together."""

_PATIENCE = 30.0
"""Seconds for which a writer is waited for."""


def copy_databases(home: Path, to: Path) -> float:
    """Copy both databases as they are at one moment, in epoch seconds: as a crash would leave them.

    Copied at two moments, one file would tell of calls that the other one has never heard of.
    Writers wait for less than a millisecond, until both files are held still for the readers that
    copy them. Blocks. Raises StoreUnavailable.
    """
    try:
        with ExitStack() as stack:
            sources, at = _at_one_moment(home, stack)
            for name, source in sources.items():
                with closing(sqlite3.connect(to / name)) as copy:
                    source.backup(copy)
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{home} can't be copied to {to}: {error}. See what `lampwork doctor` says of it, and "
            "whether there is room; TMPDIR names a folder for temporary files."
        ) from error
    return at


def _at_one_moment(home: Path, stack: ExitStack) -> tuple[dict[str, sqlite3.Connection], float]:
    """Connections that see both files as they are while nobody may write to either."""
    sources: dict[str, sqlite3.Connection] = {}
    with ExitStack() as turns:
        for name in DATABASES:
            # Looked for in this order: who executes has made its file before it says so in ours.
            if (home / name).exists():
                turns.enter_context(closing(_connect(home / name))).execute("BEGIN IMMEDIATE")
                sources[name] = stack.enter_context(closing(_connect(home / name)))
        for source in sources.values():
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        at = clock.now()
    return sources, at


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)


def faults_in(folder: Path) -> Iterator[str]:
    """What is wrong with copied databases, which nobody has open: pages, indexes, blobs. Blocks."""
    for name in DATABASES:
        if not (folder / name).exists():
            continue
        try:
            with closing(_unchanging(folder / name)) as connection:
                found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
                if found != ["ok"]:
                    yield f"{name}: {'; '.join(found)}"
                elif name == "lampwork.db":
                    yield from _faulty_blobs(connection)
        except sqlite3.Error as error:
            yield f"{name}: {error}"


def _faulty_blobs(connection: sqlite3.Connection) -> Iterator[str]:
    for digest, content in connection.execute("SELECT digest, content FROM blobs"):
        if hashlib.sha256(content).hexdigest() != digest:
            yield f"the content of blob {digest} is not what its name says"


def _unchanging(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
