"""A place is opened while something fails: it is tried again, or nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from tests.behind import place_at, rows
from tests.postgres import Cluster
from tests.support import eventually, opened

from lampwork import Project, app, lock
from lampwork.connections import cut_off
from lampwork.door import Door
from lampwork.engine import Engine, engine
from lampwork.lock import FolderLock
from lampwork.place import Server
from lampwork.refusals import persistently
from lampwork.store.jobs import inbox
from lampwork.store.store import Store
from lampwork.worker.presence import Presence

Ended = Callable[[Cluster, Any], None]
"""Ends the session of a connection, for a reason."""


def by_an_administrator(cluster: Cluster, connection: Any) -> None:
    with cluster.connect("postgres") as superuser:
        pid = connection.info.backend_pid
        superuser.execute("select pg_terminate_backend(%s, 10000)", [pid])


def for_idling_in_a_transaction(cluster: Cluster, connection: Any) -> None:
    """As that of a process that was frozen there."""
    if connection.info.transaction_status == TransactionStatus.IDLE:
        connection.cursor().execute("begin")
    connection.cursor().execute("set idle_in_transaction_session_timeout = 1")
    with cluster.connect("postgres") as superuser:
        there = "select 1 from pg_stat_activity where pid = %s"
        while superuser.execute(there, [connection.info.backend_pid]).fetchone():
            pass


def without_a_word(cluster: Cluster, connection: Any) -> None:
    cut_off(connection)


class Statements:
    """Counts the statements of this process, and ends the session of one before it is sent."""

    def __init__(self, cluster: Cluster, ended: Ended) -> None:
        self._cluster, self._ended = cluster, ended
        self._at = 0
        self.counted = 0
        self._by_ourselves = threading.local()
        self._execute = psycopg.Cursor.execute

    @contextmanager
    def cut_at(self, number: int) -> Iterator[None]:
        self.counted, self._at = 0, number
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(psycopg.Cursor, "execute", self._counting())
            yield

    def _counting(self) -> Callable[..., Any]:
        def execute(cursor: Any, *statement: Any, **more: Any) -> Any:
            if not getattr(self._by_ourselves, "on", False):
                self.counted += 1
                if self.counted == self._at:
                    self._by_ourselves.on = True
                    try:
                        self._ended(self._cluster, cursor.connection)
                    finally:
                        self._by_ourselves.on = False
            return self._execute(cursor, *statement, **more)

        return execute


def open_store(place: Server) -> None:
    """And let it read: those who read connect with that."""
    store = Store(place)
    try:
        query = sa.text("select count(*) from jobs")
        read = store.read(lambda connection: connection.execute(query).scalar())
        assert asyncio.run(read) == 0
    finally:
        store.close()


def open_engine(place: Server) -> None:
    Engine(place, version="1").close()


@pytest.mark.server
@pytest.mark.parametrize(
    ("opening", "ended"),
    [
        (open_store, by_an_administrator),
        (open_store, for_idling_in_a_transaction),
        (open_store, without_a_word),
        (open_engine, by_an_administrator),
    ],
)
def test_a_session_that_is_ended_in_any_of_its_first_statements_is_begun_again(
    server: str, cluster: Cluster, opening: Callable[[Server], None], ended: Ended
) -> None:
    """*The machine stood still for 3 s while an app was opened, and the server ended the session
    that was about to be: an error, where the next try would have led on.*"""
    statements, number = Statements(cluster, ended), 0
    while statements.counted >= number:
        number += 1
        with statements.cut_at(number):
            opening(Server(server))
    assert number > 10


# --- what is left ---

PLACES: dict[str, tuple[Any, str]] = {
    "the store has connected": (Store, "_connected"),
    "the store is open": (Door, "__init__"),
    "the engine has connected": (Engine, "_register_queue"),
    "the engine is open": (app, "Presence"),
    "all is there": (app, "Schedule"),
    "it says that it executes": (Presence, "begin"),
    "it has said so": (Engine, "launch"),
    "the engine is at work": (engine.DBOS, "launch"),
    "jobs may run": (inbox, "newest_id"),
}
"""Where an opening fails: what is asked for when."""


class Failed(Exception):
    """What went wrong."""


def fail(*_: Any, **__: Any) -> Any:
    raise Failed


@pytest.mark.parametrize("when", PLACES)
async def test_of_an_opening_that_fails_nothing_is_left(
    project: Project, home: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """No thread, no file and no session, and nobody takes it for a worker; the next one opens."""
    place = place_at(home)
    threads = set(threading.enumerate())
    with monkeypatch.context() as failing:
        failing.setattr(*PLACES[when], fail)
        with pytest.raises(Failed):
            async with opened(project, home):
                pass

    def left() -> list[str]:
        there = [each.name for each in set(threading.enumerate()) - threads]
        ours = [each for each in there if not each.startswith("asyncio_")]  # who opened it
        return [*ours, *(_sessions(cluster, place) if isinstance(place, Server) else _files(home))]

    await eventually(lambda: not left(), "it never let go")
    assert rows(place, "select id from executors where closed_at is null") == []
    async with opened(project, home) as next_one:
        assert next_one.worker.presence.holds


@pytest.mark.folder
def test_a_lock_that_can_not_be_asked_for_is_not_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(lock, "in_charge", fail)
        with pytest.raises(Failed):
            FolderLock(home)
    FolderLock(home).release()


def _sessions(cluster: Cluster, place: Server) -> list[str]:
    query = "select query from pg_stat_activity where datname = %s and usename = 'lamp'"
    with cluster.connect("postgres") as superuser:
        return [str(said) for (said,) in superuser.execute(query, [place.for_driver().database])]


def _files(home: Path) -> list[str]:
    files: list[str] = []
    for each in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # closed since
            files.append(os.readlink(f"/proc/self/fd/{each}"))
    return [each for each in files if each.startswith(str(home))]


def test_a_server_that_takes_no_connection_is_asked_once() -> None:
    """Else a wrong password would be tried three times, and who does not answer waited for."""
    tried = 0

    def connect() -> None:
        nonlocal tried
        tried += 1
        with sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none").connect():
            pass

    with pytest.raises(sa.exc.OperationalError):
        persistently(connect)
    assert tried == 1
