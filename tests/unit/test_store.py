"""The writer: many changes in one commit, refused one by one, acknowledged only when on disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from tests.support import eventually

from lampwork import failpoint
from lampwork.errors import JobNotFound, StoreUnavailable
from lampwork.place import Folder, Server
from lampwork.store import schema
from lampwork.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(Folder(tmp_path))
    yield store
    store.close()


def keep(connection: sa.Connection, number: int) -> int:
    connection.execute(
        schema.logs.insert().values(job_id="j1", number=number, at=0.0, message="line")
    )
    return number


def keep_then_refuse(connection: sa.Connection, number: int) -> None:
    keep(connection, number)
    raise JobNotFound("There is no job.")


def kept(connection: sa.Connection) -> list[int]:
    return list(connection.execute(sa.select(schema.logs.c.number)).scalars())


async def test_a_refused_change_leaves_nothing_and_fails_nobody_else(store: Store) -> None:
    outcomes = await asyncio.gather(
        store.write(keep, 1),
        store.write(keep_then_refuse, 2),
        store.write(keep, 3),
        return_exceptions=True,
    )
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], JobNotFound)
    assert outcomes[2] == 3
    assert await store.read(kept) == [1, 3]


async def test_a_change_that_breaks_a_constraint_fails_alone(store: Store) -> None:
    outcomes = await asyncio.gather(
        store.write(keep, 1), store.write(keep, 1), store.write(keep, 2), return_exceptions=True
    )
    assert [outcomes[0], outcomes[2]] == [1, 2]
    assert isinstance(outcomes[1], sa.exc.IntegrityError)
    assert await store.read(kept) == [1, 2]


async def test_many_changes_share_one_commit(store: Store) -> None:
    """As many as come while the writer is busy."""
    commits: list[int] = []
    busy = threading.Event()
    failpoint.arm("store.after_commit", lambda: commits.append(1))
    try:
        first = store.submit(lambda _connection: busy.wait(60))
        others = [store.submit(keep, number) for number in range(200)]
        busy.set()
        for each in (first, *others):
            await asyncio.wrap_future(each)
    finally:
        failpoint.disarm("store.after_commit")
    assert len(commits) < 20


async def test_a_commit_whose_answer_was_lost_is_read_back(store: Store) -> None:
    def lose_the_answer() -> None:
        failpoint.disarm("store.after_commit")
        raise ConnectionResetError("no answer")

    failpoint.arm("store.after_commit", lose_the_answer)
    assert await store.write(keep, 1) == 1
    assert await store.read(kept) == [1]
    assert await store.write(keep, 2) == 2


async def test_a_commit_that_did_not_happen_acknowledges_nothing(store: Store) -> None:
    def fail() -> None:
        failpoint.disarm("store.before_commit")
        raise sa.exc.OperationalError("COMMIT", {}, sqlite3.OperationalError("locked"))

    failpoint.arm("store.before_commit", fail)
    with pytest.raises(StoreUnavailable, match="Try again"):
        await store.write(keep, 1)
    assert await store.read(kept) == []
    assert await store.write(keep, 1) == 1


class Closing(asyncio.SelectorEventLoop):
    """Is closed by its own thread just when another one has something for it."""

    def call_soon_threadsafe(self, *given: Any, **named: Any) -> asyncio.Handle:
        self.close()
        return super().call_soon_threadsafe(*given, **named)


def test_a_loop_that_is_closed_while_its_change_is_committed_holds_up_nobody_else(
    store: Store,
) -> None:
    """*The writer ended over it: what others had submitted was lost, or waited for ever.*"""
    busy, loop = threading.Event(), Closing()
    store.submit(lambda _connection: busy.wait(60))
    writing = loop.create_task(store.write(keep, 1))
    loop.run_until_complete(asyncio.sleep(0))
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(writing)

    busy.set()

    assert store.submit(keep, 2).result(60) == 2
    assert store.submit(kept).result(60) == [1, 2]
    assert loop.is_closed()


FILL_THE_DISK = """
import asyncio, sys
from pathlib import Path
from lampwork.store import schema
from lampwork.place import Folder
from lampwork.store.store import Store

def cap(connection):
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")

def keep(connection, number):
    line = dict(job_id="j1", number=number, at=0.0, message="x" * 100_000)
    connection.execute(schema.logs.insert().values(**line))

async def main():
    store = Store(Folder(Path(sys.argv[1])))
    await store.write(cap)
    await store.write(keep, 1)
    print("acknowledged", flush=True)

asyncio.run(main())
"""


def test_a_full_disk_ends_the_process_and_acknowledges_nothing(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == os.EX_IOERR
    assert "the database failed: database or disk is full. This process ends" in ended.stderr
    assert "Make room" in ended.stderr
    assert ended.stdout == ""


async def test_another_processs_commit_is_noticed(store: Store) -> None:
    noticed = threading.Event()
    store.watch(lambda _topics: noticed.set())
    with sqlite3.connect(store.place.path / "lampwork.db") as other:
        other.execute("INSERT INTO logs VALUES ('j2', 1, 0.0, 'from outside')")
    other.close()
    assert await asyncio.to_thread(noticed.wait, 60)


async def test_all_that_others_have_told_at_once_is_heard(server: str) -> None:
    store = await asyncio.to_thread(Store, Server(server))
    heard: list[frozenset[str] | None] = []
    store.watch(heard.append)
    both = (
        "select pg_notify('lampwork', 'another jobs'), pg_notify('lampwork', 'another cancelled')"
    )
    with psycopg.connect(server, autocommit=True) as other:

        def told() -> list[frozenset[str]]:
            other.execute(both)
            return [topics for topics in heard if topics is not None]

        first, *_ = await eventually(told)
    await asyncio.to_thread(store.close)
    assert first == {"jobs", "cancelled"}


async def test_who_begins_to_watch_is_told_at_once_to_look_at_everything(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lampwork.store.postgres._LOOK_EVERY", 600.0)
    store = await asyncio.to_thread(Store, Server(server))
    heard: list[frozenset[str] | None] = []
    store.watch(heard.append)
    await eventually(lambda: None in heard)
    await asyncio.to_thread(store.close)


async def test_what_is_acknowledged_is_synced(store: Store) -> None:
    def pragmas(connection: sa.Connection) -> tuple[str, int, int]:
        read = connection.exec_driver_sql
        return (
            read("PRAGMA journal_mode").scalar_one(),
            read("PRAGMA synchronous").scalar_one(),
            read("PRAGMA page_size").scalar_one(),
        )

    full = 2
    assert await store.write(pragmas) == ("wal", full, 8192)


async def test_numbers_of_what_came_in_line_are_never_used_again(store: Store) -> None:
    def numbered(connection: sa.Connection) -> list[str]:
        query = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' ORDER BY name"
        return list(connection.exec_driver_sql(query).scalars())

    assert await store.read(numbered) == ["firings", "inbox", "line", "places"]
