"""The connections that a process has to a server: known, so that they can be cut."""

from __future__ import annotations

import contextlib
import os
import socket
import weakref
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event

from lampwork.errors import StoreUnavailable
from lampwork.place import Server
from lampwork.refusals import meaning_of


class Connections:
    """Those of an engine of SQLAlchemy.

    A server that can't be reached is StoreUnavailable, at once: what waits for it by itself, as
    DBOS would, does not hear of the driver's error.
    """

    def __init__(self, engine: sa.Engine, place: Server) -> None:
        """Begin to keep track, before there are any."""
        self._place = place
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._cut = False
        event.listen(engine, "do_connect", self._connect)

    def cut(self) -> None:
        """Let everybody who waits for an answer of the server hear that there is none; for good.

        From any thread: a driver's connection can only be closed in the one that uses it.
        """
        self._cut = True
        for connection in list(self._open):
            with contextlib.suppress(OSError, psycopg.Error):
                file = socket.socket(fileno=os.dup(connection.fileno()))
                with file:
                    file.shutdown(socket.SHUT_RDWR)

    def _connect(self, dialect: Any, _record: Any, words: Any, options: Any) -> Any:
        if self._cut:
            raise StoreUnavailable(f"{self._place} is not connected to any more: this closes.")
        try:
            connection = dialect.connect(*words, **options)
        except psycopg.Error as error:
            raise meaning_of(error, self._place) from error
        self._open.add(connection)
        return connection
