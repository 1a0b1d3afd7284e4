"""`lampwork.db`: one writer thread that commits many changes at once, and readers beside it.

All of our own writes, of every job and task in the process, pass through one thread that gathers
what has come in, applies it in one transaction and syncs once. That is where the speed comes from,
and it is why sequence numbers need no lock.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import queue
import sqlite3
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from lampwork import clock, failpoint
from lampwork.errors import LampworkError, StoreUnavailable
from lampwork.store import blobs, migrations, schema
from lampwork.types import LARGEST_INLINE

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("lampwork.store")

_WATCH_INTERVAL = 0.02
"""Seconds between two looks at whether another process has written: one PRAGMA, 10 µs."""

_BATCH = 500
"""Changes in one commit at the most, so that the first of them does not wait for ever."""


@dataclass(frozen=True, slots=True)
class _Change:
    """A change to apply, and who hears of it: a future of a loop, or of any thread."""

    apply: Callable[[sa.Connection], Any]
    done: asyncio.Future[Any] | Future[Any]

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        return self.done.get_loop() if isinstance(self.done, asyncio.Future) else None


class Store:
    """The database of one folder."""

    def __init__(self, home: Path) -> None:
        """Open `home/lampwork.db`, bring its tables up to date, start the writer.

        Raises FolderNotWritable, DatabaseTooNew.
        """
        self.path = home / "lampwork.db"
        migrations.prepare(self.path)
        self.writer_id = uuid.uuid4().hex
        self._changes: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._watchers: list[Callable[[], None]] = []
        self._write_engine = _engine(self.path, begin="BEGIN IMMEDIATE", pool_size=1)
        self._read_engine = _engine(self.path, begin="BEGIN", pool_size=4)
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="lampwork-read")
        self._batch = 0
        connection = self._write_engine.connect()
        self._thread = threading.Thread(
            target=self._run,
            args=(connection, _data_version(connection)),
            name="lampwork-writer",
            daemon=True,
        )
        self._thread.start()

    async def write(
        self,
        change: Callable[Concatenate[sa.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Apply a change; return when it is on disk.

        A LampworkError that the change raises undoes this change alone. Raises StoreUnavailable
        when the database did not take it: then nothing of it is there.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._changes.put(_Change(lambda connection: change(connection, *args, **kwargs), done))
        return await done

    def submit(
        self,
        change: Callable[Concatenate[sa.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[T]:
        """As `write`, without waiting: for changes nobody relies on, and for other threads."""
        done: Future[T] = Future()
        self._changes.put(_Change(lambda connection: change(connection, *args, **kwargs), done))
        return done

    async def read(
        self,
        query: Callable[Concatenate[sa.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a query on a snapshot."""

        def run() -> T:
            try:
                with self._read_engine.begin() as connection:
                    return query(connection, *args, **kwargs)
            except (OperationalError, InterfaceError, InternalError) as error:
                raise StoreUnavailable(f"The database can't be read: {error.orig}.") from error

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def fold(self, text: str, job_id: str) -> str:
        """A short text as it is; a long one goes to the blobs, and its address stands for it."""
        return text if len(text) <= LARGEST_INLINE else await self.write(blobs.fold, text, job_id)

    async def unfold(self, folded: str) -> str:
        """The text that was folded."""
        return await self.read(blobs.unfold, folded) if blobs.is_folded(folded) else folded

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher`, in the writer's thread, after another process has committed."""
        self._watchers.append(watcher)

    def compact(self) -> None:
        """Give free space of the file back to the disk, while nobody writes; blocks.

        Raises sqlite3.OperationalError.
        """
        with closing(sqlite3.connect(self.path, timeout=5)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Commit what was submitted, then stop."""
        self._changes.put(None)
        self._thread.join()
        self._readers.shutdown()
        self._write_engine.dispose()
        self._read_engine.dispose()

    # --- the writer's thread ---

    def _run(self, connection: sa.Connection, version: int) -> None:
        try:
            while True:
                changes, closing = self._next_changes()
                if changes:
                    connection = self._commit(connection, changes)
                if closing:
                    return
                if (seen := _data_version(connection)) != version:
                    version = seen
                    for watcher in self._watchers:
                        watcher()
        finally:
            connection.close()

    def _next_changes(self) -> tuple[list[_Change], bool]:
        changes: list[_Change] = []
        try:
            item = self._changes.get(timeout=_WATCH_INTERVAL)
            while item is not None:
                changes.append(item)
                if len(changes) == _BATCH:
                    return changes, False
                item = self._changes.get_nowait()
        except queue.Empty:
            return changes, False
        return changes, True

    def _commit(self, connection: sa.Connection, changes: list[_Change]) -> sa.Connection:
        """Apply and commit; returns the connection to go on with."""
        self._batch += 1
        answers: list[_Answer] = []
        try:
            with connection.begin():
                for change in changes:
                    answers.append(_apply(connection, change))
                _mark(connection, self.writer_id, self._batch)
                failpoint.hit("store.before_commit")
            failpoint.hit("store.after_commit")
        except Exception as error:
            if _is_fatal(error):
                _end_process(error)
            connection.invalidate()
            connection.close()
            connection = self._write_engine.connect()
            if not self._was_committed(connection):
                return self._refuse_all(connection, changes, error)
            facts = {"event": "store.commit_found", "changes": len(changes)}
            _log.warning("commit %s answered %r, but is on disk", self._batch, error, extra=facts)
        _answer(answers)
        return connection

    def _was_committed(self, connection: sa.Connection) -> bool:
        """Whether the batch whose commit raised is on disk all the same."""
        with connection.begin():
            query = sa.select(schema.writers.c.batch).where(schema.writers.c.id == self.writer_id)
            return connection.execute(query).scalar() == self._batch

    def _refuse_all(
        self, connection: sa.Connection, changes: list[_Change], error: Exception
    ) -> sa.Connection:
        facts = {"event": "store.commit_refused", "changes": len(changes)}
        said = "the database did not take %s changes"
        _log.error(said, len(changes), exc_info=error, extra=facts)
        why = error.orig if isinstance(error, DBAPIError) else error
        refusal = StoreUnavailable(f"The database did not take the change: {why}. Try again.")
        _answer([(change, None, refusal) for change in changes])
        return connection


_Answer = tuple[_Change, Any, Exception | None]
"""A change with its result, or what refused it."""


def _answer(answers: list[_Answer]) -> None:
    """Tell all who wait; each loop is woken once, not once per change."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[_Answer]] = {}
    for answer in answers:
        by_loop.setdefault(answer[0].loop, []).append(answer)
    for loop, group in by_loop.items():
        if loop is None:
            _resolve(group)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, group)


def _resolve(answers: list[_Answer]) -> None:
    for change, result, error in answers:
        if change.done.done():  # whoever waited was cancelled
            continue
        if error is not None:
            change.done.set_exception(error)
        else:
            change.done.set_result(result)


def _apply(connection: sa.Connection, change: _Change) -> _Answer:
    """Apply one change in a savepoint; returns the answer for when the commit is safe."""
    # Straight to the driver, a third of the time: there are two of these to a change.
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT change")
    try:
        result = change.apply(connection)
    except Exception as error:
        if isinstance(error, OperationalError | InterfaceError | InternalError):
            raise
        driver.execute("ROLLBACK TO change")
        if not isinstance(error, LampworkError):
            facts = {"event": "store.change_refused"}
            _log.error("a change was wrong and is refused", exc_info=error, extra=facts)
        return change, None, error
    driver.execute("RELEASE change")
    return change, result, None


def _mark(connection: sa.Connection, writer_id: str, batch: int) -> None:
    connection.exec_driver_sql(
        "INSERT INTO writers (id, batch, at) VALUES (?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, at = excluded.at",
        (writer_id, batch, clock.now()),
    )


def _data_version(connection: sa.Connection) -> int:
    # On the writer's own connection the number moves only with other processes' commits.
    driver: Any = connection.connection.driver_connection
    return driver.execute("PRAGMA data_version").fetchone()[0]


def _is_fatal(error: Exception) -> bool:
    """Whether going on could acknowledge what is not on disk."""
    cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CORRUPT)


def _end_process(error: BaseException) -> None:
    """Nothing that waits for this commit may hear that it succeeded, so nothing goes on."""
    said = "the database failed: %s; this process ends, nothing was acknowledged"
    _log.critical(said, error, extra={"event": "store.failed"})
    os._exit(os.EX_IOERR)


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _engine(path: Path, *, begin: str, pool_size: int) -> sa.Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}",
        pool_size=pool_size,
        max_overflow=0,
        json_serializer=_to_json,
        hide_parameters=True,  # they are users' values; an error's text is logged and shown
        connect_args={"isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
