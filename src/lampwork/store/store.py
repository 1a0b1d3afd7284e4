"""Our database: one writer thread that commits many changes at once, and readers beside it.

All of our own writes, of every job and task in the process, pass through one thread that gathers
what has come in, applies it in one transaction and syncs once. That is where the speed comes from,
and it is why sequence numbers need no lock.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from lampwork import failpoint
from lampwork.counters import Commits
from lampwork.errors import LampworkError, StoreUnavailable
from lampwork.place import Place
from lampwork.refusals import TRIES, is_refusal, meaning_of, persistently, unfit, was_lost
from lampwork.store import blobs, schema
from lampwork.store.database import Applied, Hear, open_database
from lampwork.store.processes.session import Session
from lampwork.threads import call_soon
from lampwork.types import LARGEST_IN_ROW

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("lampwork.store")

_WATCH_INTERVAL = 0.02
"""Seconds between two looks at whether another process has written: one PRAGMA, 10 µs."""

_BATCH = 500
"""Changes in one commit at the most, so that the first of them does not wait for ever."""

_ASK_AGAIN = 0.2
"""Seconds between two questions to a database that is away what has become of a commit."""

_PATIENCE = 5.0
"""Seconds for which a store that closes waits for the database's answer."""


@dataclass(frozen=True, slots=True)
class _Change:
    """A change to apply, and who hears of it: a future of a loop, or of any thread."""

    apply: Callable[[sa.Connection], Any]
    done: asyncio.Future[Any] | Future[Any]

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        return self.done.get_loop() if isinstance(self.done, asyncio.Future) else None


class Store:
    """The database at one place."""

    def __init__(self, place: Place) -> None:
        """Open the database, bring its tables up to date, start the writer.

        Raises FolderNotWritable, DatabaseTooNew, DatabaseBehind, StoreUnavailable.
        """
        self.place = place
        self.writer_id = uuid.uuid4().hex
        self._database = open_database(place, writer_id=self.writer_id)
        self._changes: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="lampwork-read")
        self._batch = 0
        self.counters = Commits()
        self._told = 0
        """The last batch that the database was told to commit."""
        self._applied: list[Applied] = []
        """What its changes gave."""
        self._given_up = threading.Event()
        self._hear_commits: list[Callable[[], None]] = []
        self._hears_others = False
        self._connection: sa.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="lampwork-writer", daemon=True)
        try:
            self._database.look(self._connected())
            self._thread.start()
        except BaseException:
            self._let_go()
            self._database.close()
            raise

    @property
    def session(self) -> Session:
        """By which others see who executes here."""
        return self._database.session

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
                return persistently(begin)
            except (DBAPIError, UnicodeEncodeError) as error:
                if isinstance(error, DBAPIError) and is_refusal(error):
                    raise meaning_of(error, self.place) from error
                if (wrong := unfit(error)) is not None:
                    raise wrong from error
                raise

        def begin() -> T:
            with self._database.reading.begin() as connection:
                return query(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def fold(self, text: str, job_id: str) -> str:
        """A text as rows hold it, see `blobs.fold`: a short one costs no commit."""
        return text if len(text) <= LARGEST_IN_ROW else await self.write(blobs.fold, text, job_id)

    async def unfold(self, folded: str) -> str:
        """The text that was folded."""
        return await self.read(blobs.unfold, folded) if blobs.is_folded(folded) else folded

    def watch(self, hear: Hear, is_here: Callable[[str], bool] = lambda _: False) -> None:
        """Call `hear`, in some thread, after another process has committed.

        `is_here` is asked, in some thread, whether the run of a job is in this process: then no
        other process is told of it.
        """
        self._database.is_here = is_here
        self._database.watch(hear)

    def on_commit(self, hear: Callable[[], None]) -> Callable[[], None]:
        """Call `hear`, in some thread, after each commit here, and those of others.

        What is returned ends that.
        """
        self._hear_commits.append(hear)
        if len(self._hear_commits) == 1 and not self._hears_others:
            self._hears_others = True
            self._database.watch(lambda _topics: self._committed())
        return lambda: self._hear_commits.remove(hear)

    def _committed(self) -> None:
        for hear in list(self._hear_commits):
            hear()

    def compact(self) -> None:
        """Give free space back to the disk, while nobody writes; blocks.

        Raises sqlite3.OperationalError.
        """
        self._database.compact()

    def close(self) -> None:
        """Commit what was submitted, then stop; soon, even where no answer comes any more."""
        patience = threading.Timer(_PATIENCE, self.give_up)
        patience.start()
        self._changes.put(None)
        self._thread.join()
        self._readers.shutdown()
        patience.cancel()
        self._database.close()

    def give_up(self) -> None:
        """Wait for no answer of a server any more: what is not answered is refused."""
        self._given_up.set()
        self._database.cut()

    # --- the writer's thread ---

    def _run(self) -> None:
        try:
            while True:
                changes, closing = self._next_changes()
                if changes:
                    self._commit(changes)
                if closing:
                    return
                if self._connection is not None:
                    self._database.look(self._connection)
        finally:
            self._let_go()

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

    def _commit(self, changes: list[_Change]) -> None:
        """Apply and commit, and tell who waits."""
        self._batch += 1
        began = time.perf_counter()
        try:
            applied = self._transact(changes)
        except Exception as error:
            self._let_go()
            if self._database.is_ruined_by(error):
                _end_process(error)
            # What the database was never told to commit is not there.
            if self._told != self._batch:
                return self._refuse_all(changes, error)
            match self._was_committed():
                case None:
                    return self._leave_open(changes)
                case False:
                    return self._refuse_all(changes, error)
                case True:
                    pass
            applied = self._applied
            facts = {"event": "store.commit_found", "changes": len(changes)}
            _log.warning("commit %s answered %r, but is on disk", self._batch, error, extra=facts)
        self.counters.times.took(time.perf_counter() - began)
        self.counters.changes += len(changes)
        for _result, error in applied:
            if error is not None and not isinstance(error, LampworkError):
                facts = {"event": "store.change_refused"}
                _log.error("a change was wrong and is refused", exc_info=error, extra=facts)
        _answer([(change, *each) for change, each in zip(changes, applied, strict=True)])
        self._committed()
        return None

    def _transact(self, changes: list[_Change]) -> list[Applied]:
        """One transaction; once more if its connection has been lost meanwhile.

        That it is new does not help: the server ends the sessions of a process that is too slow.
        """
        for left in reversed(range(TRIES)):
            connection = self._connected()
            try:
                with connection.begin():
                    wanted = [each.apply for each in changes]
                    applied = self._database.apply(connection, wanted, batch=self._batch)
                    failpoint.hit("store.before_commit")
                    self._told, self._applied = self._batch, applied
                failpoint.hit("store.after_commit")
            except DBAPIError as error:
                if not (left and was_lost(error)):
                    raise
                self._let_go()
                if self._told == self._batch and not self._is_known_to_be_lost():
                    raise
            else:
                return applied
        raise AssertionError("the last try returns or raises")

    def _was_committed(self) -> bool | None:
        """Whether the batch whose commit raised is on disk all the same.

        Asked until the database answers, for nobody may be told anything before; a process that
        closes does not wait for ever, and then it is not known. What is submitted meanwhile has
        not been tried, and is refused.
        """
        while True:
            try:
                return self._is_on_disk()
            except (DBAPIError, StoreUnavailable) as error:
                self._let_go()
                if self._database.is_ruined_by(error):
                    _end_process(error)
                facts = {"event": "store.commit_unknown"}
                _log.warning("commit %s is not known: %s", self._batch, error, extra=facts)
                self._refuse_waiting(error)
            if self._given_up.wait(_ASK_AGAIN):
                return None

    def _is_on_disk(self) -> bool:
        """Ask whether the batch is there, once. Raises DBAPIError, StoreUnavailable."""
        query = sa.select(schema.writers.c.batch).where(schema.writers.c.id == self.writer_id)
        connection = self._connected()
        with connection.begin():
            self._database.outlast_writers(connection)
            return connection.execute(query).scalar() == self._batch

    def _is_known_to_be_lost(self) -> bool:
        """Whether the database says at once that it does not have the batch."""
        try:
            return not self._is_on_disk()
        except (DBAPIError, StoreUnavailable):
            self._let_go()
            return False

    def _connected(self) -> sa.Connection:
        if self._connection is None:
            self._connection = self._database.writing.connect()
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _refuse_all(self, changes: list[_Change], error: Exception) -> None:
        self.counters.refused += len(changes)
        facts = {"event": "store.commit_refused", "changes": len(changes)}
        said = "the database did not take %s changes: %s"
        trace = None if isinstance(error, StoreUnavailable) or is_refusal(error) else error
        _log.error(said, len(changes), error, exc_info=trace, extra=facts)
        refusal = meaning_of(error, self.place)
        if type(refusal) is StoreUnavailable:
            why = error.orig if isinstance(error, DBAPIError) else error
            said = f"The database did not take the change: {why}".rstrip(".")
            refusal = StoreUnavailable(f"{said}. Try again.")
        _answer([(change, None, refusal) for change in changes])

    def _refuse_waiting(self, error: Exception) -> None:
        changes: list[_Change] = []
        with suppress(queue.Empty):
            while (item := self._changes.get_nowait()) is not None:
                changes.append(item)
            self._changes.put(None)
        if changes:
            self._refuse_all(changes, error)

    def _leave_open(self, changes: list[_Change]) -> None:
        unknown = StoreUnavailable(
            "The database was told to commit the change, and has not answered since: it may have "
            "it, or not. With the same idempotency key, asking again leads to the same job."
        )
        _answer([(change, None, unknown) for change in changes])


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
        else:
            call_soon(loop, _resolve, group)


def _resolve(answers: list[_Answer]) -> None:
    for change, result, error in answers:
        if change.done.done():  # whoever waited was cancelled
            continue
        if error is not None:
            change.done.set_exception(error)
        else:
            change.done.set_result(result)


def _end_process(error: BaseException) -> None:
    """Nothing that waits for this commit may hear that it succeeded, so nothing goes on."""
    said = (
        "the database failed: %s. This process ends, and nothing was acknowledged that is not on "
        "disk. Make room, or see to the disk (lampwork doctor), and start again"
    )
    cause = getattr(error, "orig", error)  # without SQLAlchemy's address
    _log.critical(said, cause, extra={"event": "store.failed"})
    os._exit(os.EX_IOERR)
