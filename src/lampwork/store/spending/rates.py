"""How often models are asked: buckets that all workers draw from, by the clock of the database.

A bucket holds what flows into it in a minute. Who takes from it is given the moment from which it
may ask, and what it took is gone for others from then on; so those who wait keep the order in which
they came. Every function runs inside one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.store.jobs import inbox
from lampwork.store.schema import rates, waits
from lampwork.store.tasks.places import require_current
from lampwork.types import wait_id

__all__ = ["Asking", "Rate", "Taken", "close", "closed_until", "settle", "take"]

_MINUTE = 60.0

_SLEPT = 1.0
"""Seconds; a shorter wait is not written down: that would take longer than it tells."""

_get = sa.select(rates).where(
    rates.c.project == sa.bindparam("of_project"), rates.c.name == sa.bindparam("of_name")
)
_put = insert(rates)
_put = _put.on_conflict_do_update(
    index_elements=["project", "name"],
    set_={name: _put.excluded[name] for name in ("requests_at", "tokens_at", "closed_until")},
)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be asked, by all workers together."""

    name: str
    """Of a provider, a model or a host."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a call has taken, of which it is known later how many tokens it came to."""

    project: str
    rates: Sequence[Rate]
    tokens: int


@dataclass(frozen=True, slots=True)
class Asking:
    """A model call that is to begin."""

    project: str
    job_id: str
    call: int
    number: int
    """Of the entry that the response will be in its conversation."""
    due_at: float | None
    """Until when it may wait."""


def take(
    connection: sa.Connection,
    _conversation: str,
    task: str,
    epoch: int,
    asking: Asking,
    taken: Taken,
) -> inbox.Wait | float:
    """Take from the buckets: from when it may ask, or its wait for that, written down.

    A call that has waited for its turn has taken already. Raises StaleEpoch.
    """
    require_current(connection, task, epoch)
    before = _last_wait(connection, task, asking)
    if before is not None and not before.answered:
        return _again(before)
    if before is not None and closed_until(connection, taken) <= clock.now():
        return clock.now()
    at, name = draw(connection, taken)
    if at - clock.now() <= _SLEPT:
        return at
    nth = 1 if before is None else before.subject["nth"] + 1
    wait = inbox.Wait(
        id=wait_id(asking.job_id, asking.call, f"rate{asking.number}.{nth}"),
        job_id=asking.job_id,
        call=asking.call,
        kind="rate",
        task_id=task,
        subject={"name": name, "number": asking.number, "nth": nth, "epoch": epoch},
        due_at=at if asking.due_at is None else min(at, asking.due_at),
    )
    inbox.open_wait(connection, wait)
    return wait


def draw(connection: sa.Connection, taken: Taken) -> tuple[float, str]:
    """Take from the buckets: from when it may ask, and the name of the one that decides that."""
    now, found = clock.now(), list[tuple[float, str]]()
    for rate in taken.rates:
        row = _row(connection, taken.project, rate.name)
        requests_at, tokens_at = max(row.requests_at, now), max(row.tokens_at, now)
        moments = [now, row.closed_until]
        if rate.requests_per_minute is not None:
            requests_at += _MINUTE / rate.requests_per_minute
            moments.append(requests_at - _MINUTE)
        if rate.tokens_per_minute is not None:
            flow = taken.tokens * _MINUTE / rate.tokens_per_minute
            moments.append(tokens_at + min(flow, _MINUTE) - _MINUTE)  # it never holds more
            tokens_at += flow
        found.append((max(moments), rate.name))
        _write(connection, taken.project, rate.name, requests_at, tokens_at, row.closed_until)
    return max(found)


def settle(connection: sa.Connection, taken: Taken, tokens: int) -> None:
    """A call came to so many tokens: what it did not take before is taken now, or given back."""
    for rate in taken.rates:
        if rate.tokens_per_minute is not None:
            flow = (tokens - taken.tokens) * _MINUTE / rate.tokens_per_minute
            connection.execute(
                sa.update(rates)
                .where(rates.c.project == taken.project, rates.c.name == rate.name)
                .values(tokens_at=rates.c.tokens_at + flow)
            )


def close(connection: sa.Connection, taken: Taken, seconds: float) -> None:
    """The provider wants to be left alone for so long: by all, who then begin one by one."""
    until = clock.now() + seconds
    for rate in taken.rates:
        row = _row(connection, taken.project, rate.name)
        first = _MINUTE / rate.requests_per_minute if rate.requests_per_minute else 0.0
        _write(
            connection,
            taken.project,
            rate.name,
            max(row.requests_at, until + _MINUTE - first),
            max(row.tokens_at, until + _MINUTE if rate.tokens_per_minute else until),
            max(row.closed_until, until),
        )


def closed_until(connection: sa.Connection, taken: Taken) -> float:
    """Until when a provider wants to be left alone; a moment that has passed, if none does."""
    return max(_row(connection, taken.project, rate.name).closed_until for rate in taken.rates)


@dataclass(frozen=True, slots=True)
class _Row:
    requests_at: float = 0.0
    tokens_at: float = 0.0
    closed_until: float = 0.0


def _row(connection: sa.Connection, project: str, name: str) -> _Row:
    row = connection.execute(_get, {"of_project": project, "of_name": name}).first()
    return _Row() if row is None else _Row(row.requests_at, row.tokens_at, row.closed_until)


def _write(
    connection: sa.Connection,
    project: str,
    name: str,
    requests_at: float,
    tokens_at: float,
    closed_until: float,
) -> None:
    moments = {"requests_at": requests_at, "tokens_at": tokens_at, "closed_until": closed_until}
    connection.execute(_put, {"project": project, "name": name} | moments)


def _last_wait(
    connection: sa.Connection, task: str, asking: Asking
) -> sa.Row[tuple[object, ...]] | None:
    of_call = waits.c.subject["number"].as_integer() == asking.number
    return connection.execute(
        sa.select(waits)
        .where(waits.c.job_id == asking.job_id, waits.c.task_id == task, waits.c.kind == "rate")
        .where(of_call)
        .order_by(waits.c.opened_at.desc(), waits.c.id.desc())
        .limit(1)
    ).first()


def _again(row: sa.Row[tuple[object, ...]]) -> inbox.Wait:
    return inbox.Wait(
        id=row.id,
        job_id=row.job_id,
        call=row.call,
        kind="rate",
        task_id=row.task_id,
        subject=row.subject,
        due_at=row.due_at,
    )
