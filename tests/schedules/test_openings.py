"""A place is opened while something fails: it is tried again, or nothing of it is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from tests.postgres import Cluster

from lampwork.connections import cut_off
from lampwork.engine import Engine
from lampwork.place import Server
from lampwork.store.store import Store

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
