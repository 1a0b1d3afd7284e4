"""What condition a folder's databases are in. They are only read: nothing is created or migrated.

So it holds for a folder that can't be opened too, and for one that another process works on.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lampwork.errors import StoreUnavailable
from lampwork.store import migrations

__all__ = ["Condition", "Executing", "Paused", "condition_of"]

_WAIT = 2.0
"""Seconds for which a lock of somebody else is waited for."""

_NAMED = 3
"""Jobs that are named; further ones are counted only."""


@dataclass(frozen=True, slots=True)
class Executing:
    """The process that last began to execute, and has not said that it ended."""

    pid: int
    project: str
    since: float


@dataclass(frozen=True, slots=True)
class Paused:
    """A genie that takes no new tasks."""

    project: str
    genie: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Condition:
    """What the tables say."""

    revision: str
    schema: Literal["current", "behind", "ahead"]
    executing: Executing | None
    has_executed: bool
    """Whether any process ever executed here, so that there must be an engine.db."""
    due: dict[str, int]
    """By project, the jobs that could go on now."""
    waiting: dict[str, int]
    """By project, the jobs that wait for something."""
    attention: int
    """How many jobs need a person."""
    in_need: tuple[str, ...]
    """The first of these."""
    paused: tuple[Paused, ...]
    newest: float | None
    """When the last change of a job was made, by the clock of whoever made it."""
    restored_from: float | None
    """The moment of the backup that was restored, until all that was done after it is known."""


def condition_of(home: Path) -> Condition | None:
    """The condition of `home/lampwork.db`; None if there are no tables. Raises StoreUnavailable."""
    if not (home / "lampwork.db").exists():
        return None
    try:
        with closing(_reading(home / "lampwork.db")) as connection:
            return _condition(connection)
    except sqlite3.Error as error:
        raise _unreadable(home / "lampwork.db", error) from error


def check_engine_file(home: Path) -> None:
    """Raise StoreUnavailable if there is a `home/engine.db` that can't be read."""
    if not (home / "engine.db").exists():
        return
    try:
        with closing(_reading(home / "engine.db")) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise _unreadable(home / "engine.db", error) from error


def _unreadable(path: Path, error: sqlite3.Error) -> StoreUnavailable:
    return StoreUnavailable(f"{path} can't be read: {error}.")


def _reading(path: Path) -> sqlite3.Connection:
    # Without a log beside it, SQLite would make one to read the file, and leave it there. Nobody
    # has the file open then, so it is read as one that does not change.
    alone = not path.with_name(f"{path.name}-wal").exists()
    mode = "mode=ro&immutable=1" if alone else "mode=ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=_WAIT)


def _condition(connection: sqlite3.Connection) -> Condition | None:
    connection.execute("BEGIN")
    if not _has(connection, "alembic_version"):
        return None
    (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    executor = connection.execute(
        "SELECT pid, project, started_at FROM executors WHERE closed_at IS NULL "
        "ORDER BY started_at DESC LIMIT 1"
    ).fetchone()
    in_need = connection.execute(
        "SELECT id FROM jobs WHERE status = 'needs_attention' ORDER BY created_at, id"
    ).fetchall()
    return Condition(
        revision=revision,
        schema=_schema(revision),
        executing=Executing(*executor) if executor else None,
        has_executed=bool(connection.execute("SELECT 1 FROM executors LIMIT 1").fetchone()),
        due=_count(connection, "queued", "running"),
        waiting=_count(connection, "suspended"),
        attention=len(in_need),
        in_need=tuple(job for (job,) in in_need[:_NAMED]),
        paused=_paused(connection),
        newest=connection.execute("SELECT max(changed_at) FROM jobs").fetchone()[0],
        restored_from=_restored_from(connection),
    )


def _has(connection: sqlite3.Connection, table: str) -> bool:
    """Whether there is a table, which those of an older version may lack."""
    query = "SELECT 1 FROM sqlite_master WHERE name = ?"
    return connection.execute(query, (table,)).fetchone() is not None


def _restored_from(connection: sqlite3.Connection) -> float | None:
    if not _has(connection, "restorations"):
        return None
    open_ones = "SELECT backup_at FROM restorations WHERE closed_at IS NULL ORDER BY id DESC"
    found = connection.execute(open_ones).fetchone()
    return None if found is None else found[0]


def _paused(connection: sqlite3.Connection) -> tuple[Paused, ...]:
    if not _has(connection, "pauses"):
        return ()
    rows = connection.execute("SELECT project, genie, by, why FROM pauses ORDER BY project, genie")
    return tuple(Paused(*row) for row in rows)


def _count(connection: sqlite3.Connection, *statuses: str) -> dict[str, int]:
    marks = ", ".join("?" * len(statuses))
    return dict(
        connection.execute(
            f"SELECT project, count(*) FROM jobs WHERE status IN ({marks}) "
            "GROUP BY project ORDER BY project",
            statuses,
        ).fetchall()
    )


def _schema(revision: str) -> Literal["current", "behind", "ahead"]:
    if revision == migrations.HEAD:
        return "current"
    return "behind" if migrations.is_known(revision) else "ahead"
