"""Who is there, by a session: each executor keeps one, and the server ends it with its process.

An advisory lock that is named after the executor is held on the connection that hears of news. The
system of a process that is killed closes it, and the lock is free: who looks sees that at once. A
process that is frozen keeps its session, and so does a machine that has vanished, for hours:
heartbeats are what these are found by.

One that is alive may lose its session, too. So only that of an executor counts whose row says that
it has one, and at the server as it runs since its last start, which ends all sessions; and who
finds it missing has to find so for a while, connected himself all that time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lampwork import clock

if TYPE_CHECKING:
    import psycopg

GONE_AFTER = 1.0
"""Seconds for which a session must be missing: it takes less than half of them to say that one goes
on without, or to have another."""

_REST_AFTER_A_CUT = 2.0
"""Seconds without a look for who had to connect again: others may have to, and all at once."""

_LOOK_EVERY = 0.5
"""Seconds between two looks: one query each, 0.06 ms of CPU with the server's."""

_NAMESPACE: Final = "1818324336"
"""The first key of our advisory locks that have two of them; the second is of the executor's id."""

_SERVER: Final = "extract(epoch from pg_postmaster_start_time())::text"

ABSENT: Final = f"""
    closed_at is null and session = {_SERVER} and hashtext(executors.id)::oid not in (
        select objid from pg_locks
        where locktype = 'advisory' and objsubid = 2 and classid = {_NAMESPACE}
        and database = (select oid from pg_database where datname = current_database())
    )
"""
"""Of a query of `executors`: those that had a session, and have none."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A session that shows that an executor is there."""

    executor: str
    server: str
    """When the server was started at which it is."""


class Session:
    """The session of this process, in a folder none.

    It is kept by the thread that listens, which tells by `changed`, given to `keep`.
    """

    def __init__(self) -> None:
        self.held: Held | None = None
        self.lost_at = -math.inf
        """When there was none any more, by `clock.passed`."""
        self.absent: tuple[str, ...] = ()
        """Others that have been without for long enough to be gone."""
        self._executor: str | None = None
        self._changed: Callable[[], object] = lambda: None
        self._missing: dict[str, float] = {}
        self._rest = 0.0
        self._look_at = 0.0

    def keep(self, executor_id: str, changed: Callable[[], object]) -> None:
        """Show from now on that an executor is there, and look at the others; from any thread.

        `changed` is called when it is shown, when it is not any more, and while others are absent.
        """
        self._changed = changed
        self._executor = executor_id

    def attend(self, connection: psycopg.Connection[Any]) -> None:
        """To be called often, with the connection that the session is on."""
        if self._executor is None:
            return
        if self.held is None or self.held.executor != self._executor:
            self._take(connection, self._executor)
        if time.monotonic() >= self._look_at:
            self._look(connection)

    def lose(self) -> None:
        """The connection is gone."""
        self._missing, self.absent = {}, ()
        self._rest = _REST_AFTER_A_CUT
        if self.held is not None:
            self.lost_at = clock.passed()  # before it is seen that there is none
            self.held = None
            self._changed()

    def _take(self, connection: psycopg.Connection[Any], executor_id: str) -> None:
        connection.execute("select pg_advisory_unlock_all()")
        # Shared, so that it waits for no session of before whose end the server has not noticed.
        lock = f"select pg_advisory_lock_shared({_NAMESPACE}, hashtext(%s)), {_SERVER}"
        row = connection.execute(lock, [executor_id]).fetchone()
        assert row is not None
        self.held = Held(executor_id, row[1])
        self._look_at = time.monotonic() + self._rest
        self._changed()

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        began = time.monotonic()
        query = f"select id from lampwork.executors where {ABSENT}"
        found: list[tuple[str]] = connection.execute(query).fetchall()
        now = time.monotonic()
        self._missing = {each: self._missing.get(each, now) for (each,) in found}
        self.absent = tuple(
            each for each, since in self._missing.items() if began - since >= GONE_AFTER
        )
        if self.absent:
            self._changed()
        self._look_at = now + _LOOK_EVERY
