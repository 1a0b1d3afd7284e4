"""Calls that were begun, and the outcomes of those that are recorded here, not by the engine.

A task's answer is on record in the transaction that ends the task; to record it as a step of the
engine's too would cost as much again. What a copy of a job keeps comes with its row. Every function
runs inside one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.store import blobs
from lampwork.store.schema import calls
from lampwork.types import LARGEST_INLINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished call, wherever its outcome is on record."""

    number: int
    label: str
    """`kind name`."""
    envelope: str
    """Folded."""
    made_by: str
    """The job that made it; a copy may have kept it since."""
    started_at: float | None
    ended_at: float | None


_insert = insert(calls).on_conflict_do_nothing()
_of_job = sa.select(calls).where(calls.c.job_id == sa.bindparam("job"))
_record = (
    sa.update(calls)
    .where(calls.c.job_id == sa.bindparam("job"), calls.c.number == sa.bindparam("nth"))
    .values(envelope=sa.bindparam("folded"), ended_at=sa.bindparam("now"))
)


def begin(
    connection: sa.Connection, job_id: str, number: int, kind: str, name: str, digest: str
) -> None:
    """Write down that a call begins, before anything of it happens."""
    connection.execute(
        _insert,
        {
            "job_id": job_id,
            "number": number,
            "kind": kind,
            "name": name,
            "digest": digest,
            "attempts": 1,
            "opened_at": clock.now(),
        },
    )


def begin_again(connection: sa.Connection, job_id: str, number: int, nth: int) -> None:
    """Write down that a call is begun again, before it is, since it had not happened."""
    connection.execute(
        sa.update(calls)
        .where(calls.c.job_id == job_id, calls.c.number == number)
        .values(attempts=nth)
    )


def record(connection: sa.Connection, job_id: str, number: int, envelope: str) -> None:
    """Record what came of a call, with all that its outcome rests on (see values.py)."""
    if len(envelope) > LARGEST_INLINE:
        envelope = blobs.fold(connection, envelope, job_id)
    connection.execute(
        _record, {"job": job_id, "nth": number, "folded": envelope, "now": clock.now()}
    )


def of_job(connection: sa.Connection, job_id: str) -> dict[int, sa.Row[Any]]:
    """The calls of a job that were begun, by number."""
    return {row.number: row for row in connection.execute(_of_job, {"job": job_id})}


def envelope(connection: sa.Connection, job_id: str, number: int) -> str:
    """What is recorded of a call here, folded."""
    query = sa.select(calls.c.envelope).where(calls.c.job_id == job_id, calls.c.number == number)
    return connection.execute(query).scalar_one()


def finished(row: sa.Row[Any]) -> Finished | None:
    """A call of `of_job`, if its outcome is recorded here."""
    if row.envelope is None:
        return None
    return Finished(
        number=row.number,
        label=f"{row.kind} {row.name}",
        envelope=row.envelope,
        made_by=row.kept_from or row.job_id,
        started_at=row.opened_at,
        ended_at=row.ended_at,
    )


def keep(connection: sa.Connection, job_id: str, of: str, kept: Iterable[Finished]) -> None:
    """Give a copy finished calls of its original, with what was written down when they began."""
    begun, now = of_job(connection, of), clock.now()
    rows: list[dict[str, Any]] = []
    for each in kept:
        row = begun.get(each.number)
        kind, _, name = each.label.partition(" ")
        rows.append(
            {
                "job_id": job_id,
                "number": each.number,
                "kind": kind,
                "name": name,
                "digest": "" if row is None else row.digest,
                "attempts": 0 if row is None else row.attempts,
                "opened_at": row.opened_at if row is not None else each.started_at or now,
                "envelope": each.envelope,
                "ended_at": each.ended_at,
                "kept_from": each.made_by,
            }
        )
    if rows:
        connection.execute(sa.insert(calls), rows)
