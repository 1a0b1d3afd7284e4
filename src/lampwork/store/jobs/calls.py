"""Calls that were begun, and what came of them. Every function runs inside one transaction.

The run that was begun last leads its job, and the row of the job has its number: what any other
run wants to write down is refused in the same transaction. So what a run has read when it began
stays all there is on record, but for what it adds itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert

from lampwork import clock
from lampwork.store import blobs
from lampwork.store.schema import calls, jobs
from lampwork.types import CallKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished call."""

    number: int
    label: str
    """`kind name`."""
    envelope: str
    """Folded."""
    made_by: str
    """The job that made it; a copy may have kept it since."""
    started_at: float | None
    ended_at: float | None


def _in_the_lead(*columns: str) -> Insert:
    """Inserts a call of the run that leads, and nothing of any other."""
    named = ("job_id", "number", "kind", "name", *columns)
    given = [sa.bindparam(f"the_{each}", type_=calls.c[each].type) for each in named]
    leads = (jobs.c.id == given[0], jobs.c.run == sa.bindparam("the_run", type_=sa.Integer))
    return insert(calls).from_select(named, sa.select(*given).where(*leads))


_begin = _in_the_lead("digest", "attempts", "opened_at").on_conflict_do_nothing()
_finish = _in_the_lead("digest", "attempts", "opened_at", "envelope", "ended_at")
_finish = _finish.on_conflict_do_update(
    index_elements=["job_id", "number"],
    set_={"envelope": _finish.excluded.envelope, "ended_at": _finish.excluded.ended_at},
    where=calls.c.envelope.is_(None),
)
_leads = sa.select(sa.literal(1)).where(
    jobs.c.id == sa.bindparam("job"), jobs.c.run == sa.bindparam("nth")
)
_of_job = sa.select(calls).where(calls.c.job_id == sa.bindparam("job"))
_envelopes = sa.select(calls.c.job_id, calls.c.number, calls.c.envelope).where(
    sa.tuple_(calls.c.job_id, calls.c.number).in_(sa.bindparam("of", expanding=True))
)
_record = (
    sa.update(calls)
    .where(calls.c.job_id == sa.bindparam("job"), calls.c.number == sa.bindparam("nth"))
    .values(envelope=sa.bindparam("folded"), ended_at=sa.bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Leading:
    """A run, by whose lead of its job what it writes is judged."""

    job_id: str
    run: int
    """Its number."""

    def row(self, number: int, kind: str, name: str, **columns: Any) -> dict[str, Any]:
        """A call's, as `_in_the_lead` takes it."""
        row = {"job_id": self.job_id, "number": number, "kind": kind, "name": name, "run": self.run}
        return {f"the_{column}": value for column, value in (row | columns).items()}


@dataclass(frozen=True, slots=True)
class Beginning:
    """A call that is to be written down when it begins: by which run, and what it is."""

    by: Leading
    number: int
    kind: CallKind
    name: str
    digest: str


def begin(connection: sa.Connection, call: Beginning) -> bool:
    """Write down that a call begins, before it does; False if the run does not lead."""
    return begins_anew(connection, call) or leads(connection, call.by)


def begins_anew(connection: sa.Connection, call: Beginning) -> bool:
    """As `begin`; False as well if that was on record already."""
    named = (call.number, call.kind, call.name)
    row = call.by.row(*named, digest=call.digest, attempts=1, opened_at=clock.now())
    return connection.execute(_begin, row).rowcount == 1


def leads(connection: sa.Connection, run: Leading) -> bool:
    """Whether a run leads its job."""
    return connection.execute(_leads, {"job": run.job_id, "nth": run.run}).first() is not None


def finish(
    connection: sa.Connection,
    by: Leading,
    number: int,
    kind: str,
    name: str,
    began_at: float,
    envelope: str,
) -> bool:
    """Record what came of a call; False if the run does not lead."""
    folded = blobs.fold(connection, envelope, by.job_id)
    ended = {"opened_at": began_at, "envelope": folded, "ended_at": clock.now()}
    row = by.row(number, kind, name, digest="", attempts=0, **ended)
    return connection.execute(_finish, row).rowcount == 1


def put(connection: sa.Connection, job_id: str, begun: sa.Row[Any], envelope: str) -> None:
    """Give a job a finished call that was begun so in another one."""
    folded, now = blobs.fold(connection, envelope, job_id), clock.now()
    same = {each: getattr(begun, each) for each in ("number", "kind", "name", "digest")}
    finished = {"attempts": 1, "opened_at": now, "envelope": folded, "ended_at": now}
    connection.execute(sa.insert(calls).values(job_id=job_id, **same, **finished))


def begin_again(connection: sa.Connection, job_id: str, number: int, nth: int) -> None:
    """Write down that a call is begun again, before it is, since it had not happened."""
    connection.execute(
        sa.update(calls)
        .where(calls.c.job_id == job_id, calls.c.number == number)
        .values(attempts=nth)
    )


def record(connection: sa.Connection, job_id: str, number: int, envelope: str) -> None:
    """Record what came of a call that was begun, in one with the end of its task."""
    folded = blobs.fold(connection, envelope, job_id)
    connection.execute(
        _record, {"job": job_id, "nth": number, "folded": folded, "now": clock.now()}
    )


def of_job(connection: sa.Connection, job_id: str) -> dict[int, sa.Row[Any]]:
    """The calls of a job that were begun, by number."""
    return {row.number: row for row in connection.execute(_of_job, {"job": job_id})}


def envelope(connection: sa.Connection, job_id: str, number: int) -> str:
    """What is recorded of a call here, folded."""
    return envelopes(connection, [(job_id, number)])[job_id, number]


def envelopes(
    connection: sa.Connection, of: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    """What is recorded of calls here, folded, by job and number."""
    rows = connection.execute(_envelopes, {"of": of})
    return {(row.job_id, row.number): row.envelope for row in rows}


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
