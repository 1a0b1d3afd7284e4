"""Postgres: schema `lampwork` of a database, for the processes of many machines."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.connections import FROZEN, cut, cut_off, keep_track
from lampwork.place import Server
from lampwork.refusals import CONNECT_TIMEOUT, is_refusal, persistently, told
from lampwork.store.database import Applied, Change, Hear, apply_alone, to_json
from lampwork.store.migrations import server
from lampwork.store.processes import news
from lampwork.store.processes.session import Session
from lampwork.store.schema import writers
from lampwork.store.server_time import QUERY, ServerTime

_log = logging.getLogger("lampwork.store")

SCHEMA = "lampwork"

_LOOK_EVERY = 2.5
"""Seconds after which a notification that got lost is made good for."""

_CONNECT_AGAIN = 0.25
"""Seconds after which who listens connects again; others must not find it gone by then."""

_READING = {"search_path": SCHEMA}
# Who only reads blocks nobody, and may take its time between two queries.
_WRITING = (
    _READING
    | FROZEN
    | {
        # Longer than that, so that the line of those who write moves on before it is left.
        "lock_timeout": "10000",
        "synchronous_commit": "on",
    }
)


def migrate(place: Server) -> str | None:
    """Bring the tables up to date, or make them; the revision that they had. Blocks.

    Raises DatabaseTooNew, DatabaseNotSupported, DatabaseNotWritable, StoreUnavailable.
    """
    engine = _engine(place, 1, "READ COMMITTED", _WRITING)
    try:
        return persistently(lambda: server.migrate(engine, place, SCHEMA))
    finally:
        engine.dispose()


def revision(place: Server) -> str | None:
    """That of the tables; None if there are none. Blocks, and changes nothing.

    Raises DatabaseNotSupported, DatabaseNotWritable, DatabaseUrlInvalid, StoreUnavailable.
    """
    engine = _engine(place, 1, "READ COMMITTED", _WRITING)
    try:
        return persistently(lambda: server.found_at(engine, place, SCHEMA))
    finally:
        engine.dispose()


def why_not_writable(place: Server) -> str | None:
    """Why the role may not write to tables that are there; None if it may. Blocks.

    Raises StoreUnavailable.
    """
    engine = _engine(place, 1, "READ COMMITTED", _WRITING)
    try:
        return persistently(lambda: _why_not(engine, place))
    finally:
        engine.dispose()


def _why_not(engine: sa.Engine, place: Server) -> str | None:
    with told(place), engine.begin() as connection:
        if connection.exec_driver_sql("show transaction_read_only").scalar() == "on":
            return "it takes no changes: it is a standby, or set to read only"
        found = connection.execute(_not_writable).scalars().first()
        return None if found is None else f"this role may not write to the table {found}"


_not_writable = sa.text(
    "select format('%I.%I', schemaname, tablename) from pg_tables"
    " where schemaname in ('lampwork', 'dbos') and not ("
    " has_table_privilege(format('%I.%I', schemaname, tablename), 'insert')"
    " and has_table_privilege(format('%I.%I', schemaname, tablename), 'update'))"
    " order by 1"
)


class Postgres:
    """The database at a URL."""

    def __init__(self, place: Server, writer_id: str) -> None:
        """Make the tables, if there are none. Raises DatabaseTooNew, StoreUnavailable."""
        self._place = place
        self._writer_id = writer_id
        self.writing = _engine(place, 1, "READ COMMITTED", _WRITING)
        self.reading = _engine(place, 4, "REPEATABLE READ", _READING)
        self._time = ServerTime()
        try:
            persistently(lambda: server.prepare(self.writing, place, SCHEMA))
            persistently(self._measure_time)
        except BaseException:
            self.writing.dispose()
            raise
        self.session = Session()
        self.is_here: Callable[[str], bool] = lambda _job_id: False
        self._hear: list[Hear] = []
        self._may_have_missed = threading.Event()
        """Others may have told what nobody here has heard."""
        self._closing = threading.Event()
        self._told_by: psycopg.Connection[Any] | None = None
        self._listening = threading.Thread(target=self._listen, name="lampwork-listen", daemon=True)
        self._listening.start()

    def apply(
        self, connection: sa.Connection, changes: Sequence[Change], *, batch: int
    ) -> list[Applied]:
        """Apply the changes, without savepoints while none is refused: each is two round trips."""
        mark = {"id": self._writer_id, "batch": batch, "at": clock.now()}
        connection.execute(_take_turn_and_mark, mark)
        told = news.gather(connection, self.is_here)
        try:
            applied: list[Applied] = [(change(connection), None) for change in changes]
        except Exception as error:
            if is_refusal(error):
                raise
            driver: Any = connection.connection.driver_connection
            driver.rollback()  # it begins anew with the next statement
            connection.execute(_take_turn_and_mark, mark)
            told = news.gather(connection, self.is_here)
            applied = [apply_alone(connection, change) for change in changes]
        if told.topics:
            payload = " ".join([self._writer_id, *sorted(told.topics)])
            connection.execute(_notify, {"channel": SCHEMA, "payload": payload})
        return applied

    def outlast_writers(self, connection: sa.Connection) -> None:
        """The server may still be busy with a commit whose connection is gone."""
        connection.execute(_take_turn)

    def is_ruined_by(self, error: BaseException) -> bool:
        """What is on disk is the server's to know, and it is asked."""
        return False

    def watch(self, hear: Hear) -> None:
        """Call `hear`, in a thread of its own, after another process has committed."""
        self._hear.append(hear)
        self._may_have_missed.set()

    def look(self, connection: sa.Connection) -> None:
        """The server tells by itself."""

    def compact(self) -> None:
        """The server's autovacuum sees to it."""

    def cut(self) -> None:
        """End the waiting for a server that does not answer."""
        self._closing.set()
        cut(self.writing)
        cut(self.reading)
        self._stop_listening()

    def close(self) -> None:
        """Close all connections."""
        self._closing.set()
        self._stop_listening()
        self._listening.join()
        self._time.close()
        self.writing.dispose()
        self.reading.dispose()

    def _stop_listening(self) -> None:
        if self._told_by is not None:
            cut_off(self._told_by)

    def _listen(self) -> None:
        warned = False
        while not self._closing.is_set():
            try:
                with psycopg.connect(**self._how(), autocommit=True) as connection:
                    self._told_by = connection
                    connection.execute(f"LISTEN {SCHEMA}")
                    self._may_have_missed.set()
                    warned = False
                    measured_at = 0.0
                    while not self._closing.is_set():
                        self._hear_of(connection)
                        if time.monotonic() - measured_at >= _LOOK_EVERY:
                            self._time.measure(lambda: _told_time(connection))
                            measured_at = time.monotonic()
            except psycopg.Error as error:
                if self._closing.is_set():
                    return
                self.session.lose()
                if not warned:
                    facts = {"event": "store.not_told"}
                    said = "the database does not tell what others write: %s"
                    _log.warning(said, error, extra=facts)
                warned = True
                self._closing.wait(_CONNECT_AGAIN)

    def _hear_of(self, connection: psycopg.Connection[Any]) -> None:
        """Wait for others' commits; without any, look at everything now and then."""
        topics: frozenset[str] = frozenset()
        for _ in range(round(_LOOK_EVERY / 0.1)):
            for said in connection.notifies(timeout=0.1, stop_after=1):  # or more, come at once
                writer, _, words = said.payload.partition(" ")  # anybody may send anything
                if writer != self._writer_id:
                    topics = topics.union(words.split())
            if self._closing.is_set():
                return
            self.session.attend(connection)
            if topics or self._may_have_missed.is_set():
                break
        if self._may_have_missed.is_set():
            self._may_have_missed.clear()
            topics = frozenset()
        for hear in self._hear:
            hear(topics or None)

    def _measure_time(self) -> None:
        with told(self._place), self.writing.begin() as connection:
            self._time.measure(lambda: connection.exec_driver_sql(QUERY).scalar_one())

    def _how(self) -> Mapping[str, Any]:
        url = self._place.for_driver(connect_timeout=CONNECT_TIMEOUT)
        _, how = self.reading.dialect.create_connect_args(url)
        return how


_turn = sa.func.pg_advisory_xact_lock(server.IN_TURN)
_take_turn = sa.select(_turn)
_of_mark = {name: sa.bindparam(name, type_=writers.c[name].type) for name in ("id", "batch", "at")}
_mark = insert(writers).from_select(
    [*_of_mark], sa.select(*_of_mark.values()).select_from(_turn.alias())
)
_take_turn_and_mark = _mark.on_conflict_do_update(
    index_elements=["id"], set_={"batch": _mark.excluded.batch, "at": _mark.excluded.at}
)
"""One round trip: every commit has one."""
_notify = sa.select(sa.func.pg_notify(sa.bindparam("channel"), sa.bindparam("payload")))


def _told_time(connection: psycopg.Connection[Any]) -> float:
    row = connection.execute(QUERY).fetchone()
    assert row is not None
    return row[0]


def _engine(
    place: Server, pool_size: int, isolation: Any, settings: Mapping[str, str]
) -> sa.Engine:
    engine = sa.create_engine(
        place.for_driver(connect_timeout=CONNECT_TIMEOUT),
        pool_size=pool_size,
        max_overflow=0,
        isolation_level=isolation,
        json_serializer=to_json,
        hide_parameters=True,  # they are users' values; an error's text is logged and shown
        connect_args=place.session(settings),
        # Else an insert has a count of -1, whether its row was there already or not.
        execution_options={"preserve_rowcount": True},
    )
    keep_track(engine, place)
    return engine
