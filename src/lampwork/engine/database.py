"""The engine's own tables: a file beside ours, because two writers on one file contend; or a schema
of the same Postgres database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from lampwork.connections import FROZEN, keep_track
from lampwork.place import Folder, Place, Server
from lampwork.refusals import CONNECT_TIMEOUT
from lampwork.wal import use_wal

_PATIENCE = 30.0
"""Seconds for which a connection waits for another one that writes."""


def url_of(place: Place) -> str:
    """Where the engine keeps its tables, as a URL with its password."""
    if isinstance(place, Folder):
        return f"sqlite:///{place.path / 'engine.db'}"
    url = place.for_driver(connect_timeout=CONNECT_TIMEOUT)
    return url.render_as_string(hide_password=False)


def open_tables(place: Place) -> sa.Engine:
    """The engine's database."""
    return _open_server(place) if isinstance(place, Server) else _open_file(place)


class _Pool(sa.QueuePool):
    """Closes what comes back after its disposal, and so does the pool that SQLAlchemy puts there.

    DBOS does not wait for its threads when it stops: what one of them has is left open otherwise.
    """

    _sqla_logger_namespace = "sqlalchemy.pool"  # its lines are not ours, which are shown
    _disposed = False

    def dispose(self) -> None:
        self._disposed = True
        super().dispose()

    def recreate(self) -> sa.QueuePool:
        pool = super().recreate()
        assert isinstance(pool, _Pool)
        pool._disposed = self._disposed
        return pool

    def _do_return_conn(self, record: sa.pool.ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self._disposed:  # asked after it is back: who disposes at this moment finds it, or we do
            super().dispose()


def _open_server(place: Server) -> sa.Engine:
    engine = sa.create_engine(
        url_of(place),
        poolclass=_Pool,
        pool_size=6,  # for the threads that the engine is given, and its own that look about
        max_overflow=0,
        hide_parameters=True,  # they are users' values; an error's text is logged and shown
        connect_args=place.session(FROZEN),
    )
    keep_track(engine, place)
    return engine


def _open_file(place: Folder) -> sa.Engine:
    """In WAL mode, synced at each commit; DBOS would use a rollback journal."""
    engine = sa.create_engine(
        url_of(place),
        poolclass=_Pool,
        pool_size=4,
        max_overflow=0,
        hide_parameters=True,  # they are users' values; an error's text is logged and shown
        # DBOS ends each transaction itself; the pool's rollback on return was 3 % of a job's cost.
        pool_reset_on_return=None,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # DBOS counts on transactions that take the write lock at their first write.
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={_PATIENCE * 1000:.0f}")
        use_wal(connection, _PATIENCE)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
