"""Leases of a name: what one executor at a time does, such as deleting what is old.

There is no time after which a lease is over: it is its holder's until that gives it back, or has
ended, or was found gone by the others.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.store.processes.share import is_alive
from lampwork.store.schema import leases

_create = insert(leases).on_conflict_do_nothing().returning(leases.c.name)


def acquire(connection: sa.Connection, name: str, executor_id: str, *, rested: float = 0.0) -> bool:
    """Take the lease, unless another executor has it that executes; whether it is ours.

    With `rested`, only if nobody has held it for so many seconds.
    """
    held = connection.execute(
        sa.select(leases).where(leases.c.name == name).with_for_update()
    ).first()
    if held is None:
        values = {"name": name, "executor": executor_id, "at": clock.now()}
        return connection.execute(_create, values).first() is not None
    if held.executor is None:
        # A clock that was set back must not let it rest for ever.
        if 0 <= clock.now() - held.at < rested:
            return False
    elif held.executor != executor_id and is_alive(connection, held.executor):
        return False
    return _set(connection, name, held.executor, executor_id)


def renew(connection: sa.Connection, name: str, executor_id: str) -> bool:
    """Say that one still does it; False if it was taken, because one seemed to be gone."""
    return _set(connection, name, executor_id, executor_id)


def release(connection: sa.Connection, name: str, executor_id: str) -> bool:
    """Give the lease back: it is done. False if it was taken meanwhile."""
    return _set(connection, name, executor_id, None)


def _set(connection: sa.Connection, name: str, holder: str | None, then: str | None) -> bool:
    changed = connection.execute(
        sa.update(leases)
        .where(leases.c.name == name, leases.c.executor.is_not_distinct_from(holder))
        .values(executor=then, at=clock.now())
    )
    return changed.rowcount == 1
