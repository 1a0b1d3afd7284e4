"""The connections that a process has to a server: known, so that they can be cut."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import weakref
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event

from lampwork.errors import StoreUnavailable
from lampwork.place import Server
from lampwork.refusals import meaning_of

__all__ = ["FROZEN", "cut", "cut_off", "keep_track"]

FROZEN = {
    # A process that was frozen in a transaction blocks the others no longer than this, nor one
    # that was frozen while it took in what it had asked for there.
    "idle_in_transaction_session_timeout": "3000",
    "tcp_user_timeout": "3000",
}
"""Settings of sessions that write."""


def keep_track(engine: sa.Engine, place: Server) -> None:
    """Know all connections that an engine makes, before it has made any.

    A server that can't be reached is StoreUnavailable from now on, at once: who would wait for it
    by himself, as DBOS does for up to a minute, does not hear of the driver's error.
    """
    _tracked[engine] = _Connections(engine, place)


def cut(engine: sa.Engine) -> None:
    """Let everybody who waits for the server's answer hear that there is none; for good.

    From any thread: a driver's connection can only be closed in the one that uses it.
    """
    _tracked[engine].cut()


def cut_off(connection: Any) -> None:
    """End one connection of the driver's, which another thread may be waiting at."""
    with contextlib.suppress(OSError, psycopg.Error):
        file = socket.socket(fileno=os.dup(connection.fileno()))
        with file:
            file.shutdown(socket.SHUT_RDWR)


class _Connections:
    def __init__(self, engine: sa.Engine, place: Server) -> None:
        self._place = place
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._cut = False
        self._lock = threading.Lock()
        event.listen(engine, "do_connect", self._connect)

    def cut(self) -> None:
        with self._lock:
            self._cut = True
            cut = list(self._open)
        for connection in cut:
            cut_off(connection)

    def _connect(self, dialect: Any, _record: Any, words: Any, options: Any) -> Any:
        if self._cut:
            raise StoreUnavailable(f"{self._place} is not connected to any more: this closes.")
        try:
            connection = dialect.connect(*words, **options)
        except psycopg.Error as error:
            raise meaning_of(error, self._place) from error
        with self._lock:
            self._open.add(connection)
            cut = self._cut
        if cut:  # while it was being made
            cut_off(connection)
        return connection


_tracked: weakref.WeakKeyDictionary[sa.Engine, _Connections] = weakref.WeakKeyDictionary()
