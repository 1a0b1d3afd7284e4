"""Rows of triggers: their cursors, the items that have started jobs, and what people said of them.

A job and the cursor that its trigger moves on by are written in one transaction, so that each time
and each item starts one job however often the process dies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork.store.jobs import new_jobs
from lampwork.store.jobs.new_jobs import NewJob
from lampwork.store.processes import news
from lampwork.store.schema import polled, triggers
from lampwork.store.upkeep.keys import veiled
from lampwork.types import Json, TriggerKind

Row = sa.Row[Any]

_CHUNK = 500
"""Keys in one query."""


@dataclass(frozen=True, slots=True)
class Defined:
    """A trigger as the code defines it."""

    recipe: str
    identity: str
    kind: TriggerKind
    definition: Json


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that can't start a job, and why."""

    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a poll found that had not started a job before."""

    at: float
    since: Json
    """The cursor that it began at."""
    cursor: Json
    items: Sequence[tuple[str, NewJob]]
    rejected: Sequence[Rejected]


def of_project(connection: sa.Connection, project: str) -> Sequence[Row]:
    """The triggers that a project has, or had before its code changed."""
    query = sa.select(triggers).where(triggers.c.project == project)
    return connection.execute(query.order_by(triggers.c.id)).all()


def get(connection: sa.Connection, trigger_id: int) -> Row:
    """One trigger."""
    return connection.execute(sa.select(triggers).where(triggers.c.id == trigger_id)).one()


def ensure(connection: sa.Connection, project: str, wanted: Defined, now: float) -> int:
    """The id of a trigger, which begins now if nobody has seen it before."""
    query = sa.select(triggers.c.id).where(
        triggers.c.project == project,
        triggers.c.recipe == wanted.recipe,
        triggers.c.identity == wanted.identity,
    )
    known = connection.execute(query).scalar()
    return _begin(connection, project, wanted, now) if known is None else known


def register(
    connection: sa.Connection, project: str, wanted: Iterable[Defined], now: float
) -> None:
    """Make the table follow the code that executes from now on.

    A trigger that is new here, or was gone, begins now; so does a cron that catches nothing up.
    """
    known = {(row.recipe, row.identity): row for row in of_project(connection, project)}
    for each in wanted:
        row = known.pop((each.recipe, each.identity), None)
        if row is None:
            _begin(connection, project, each, now)
            continue
        changed: dict[str, Json] = {"defined": True, "definition": each.definition}
        if each.kind == "cron" and (not row.defined or each.definition["catch_up"] == "skip"):
            changed["cursor"] = max(row.cursor, now) if row.defined else now
        _update(connection, row.id, **changed)
    news.tell(connection, "triggers")
    for row in known.values():
        if row.defined:
            _update(connection, row.id, defined=False, asked=None, error=None)


def _begin(connection: sa.Connection, project: str, new: Defined, now: float) -> int:
    begun = sa.insert(triggers).values(
        project=project,
        recipe=new.recipe,
        identity=new.identity,
        kind=new.kind,
        definition=new.definition,
        defined=True,
        cursor=now if new.kind == "cron" else None,
        created_at=now,
    )
    return connection.execute(begun.returning(triggers.c.id)).scalar_one()


def fire(
    connection: sa.Connection,
    trigger_id: int,
    *,
    settled: float,
    until: float,
    new: Sequence[NewJob],
    now: float,
) -> bool:
    """Start the jobs of a cron's due times, and settle those up to `until`.

    False, and nothing is done, if it was paused meanwhile or is no longer at `settled`.
    """
    row = get(connection, trigger_id)
    if row.paused is not None or row.cursor != settled:
        return False
    new_jobs.create(connection, new)
    _update(connection, trigger_id, cursor=until, **_fired(new, now))
    return True


def fire_now(
    connection: sa.Connection, trigger_id: int, new: NewJob, *, asked: Json, now: float
) -> bool:
    """Start a job by hand; False if what was `asked` for has been done already."""
    changed: dict[str, Json] = {}
    if asked is not None:
        if get(connection, trigger_id).asked != asked:
            return False
        changed["asked"] = None
    new_jobs.create(connection, [new])
    _update(connection, trigger_id, **changed, **_fired([new], now))
    return True


def has_fired(connection: sa.Connection, trigger_id: int, job_id: str, now: float) -> None:
    """A trigger has started a job."""
    _update(connection, trigger_id, fired_at=now, job_id=job_id)


def _fired(new: Sequence[NewJob], now: float) -> dict[str, Json]:
    return {"fired_at": now, "job_id": new[-1].id} if new else {}


def _update(connection: sa.Connection, trigger_id: int, **changed: Json) -> None:
    connection.execute(sa.update(triggers).where(triggers.c.id == trigger_id).values(**changed))


# --- polls ---


def take(
    connection: sa.Connection, trigger_id: int, found: Found, *, asked: Json
) -> tuple[list[str], list[Rejected]]:
    """Start a job for each item that has started none, and move the cursor on.

    It stays where another poll has moved it meanwhile: one by hand, or that of a process which
    took this one for gone. Returns the ids of the jobs, and what is rejected for a reason that is
    new.
    """
    started = keys_started(connection, trigger_id, [key for key, _ in found.items])
    first = {key: job for key, job in reversed(found.items) if key not in started}
    new = sorted(first.values(), key=lambda job: job.id)
    new_jobs.create(connection, new)
    news = [each for each in found.rejected if _is_news(connection, trigger_id, each)]
    outcomes = [(key, job.id, None) for key, job in first.items()]
    outcomes += [(each.key, None, each.why) for each in news]
    _remember(connection, trigger_id, outcomes, found.at)
    before = get(connection, trigger_id).cursor
    _polled(
        connection,
        trigger_id,
        asked,
        polled_at=found.at,
        cursor=found.cursor if before == found.since else before,
        error=None,
        **_fired(new, found.at),
    )
    return [job.id for job in new], news


def fail(
    connection: sa.Connection, trigger_id: int, message: str, *, asked: Json, now: float
) -> bool:
    """Keep why a poll failed; whether that is news."""
    before = get(connection, trigger_id).error
    error = {"message": message, "at": now}
    _polled(connection, trigger_id, asked, polled_at=now, error=error)
    return before is None or before["message"] != message


def keys_started(connection: sa.Connection, trigger_id: int, keys: Sequence[str]) -> set[str]:
    """Those of the keys that have started a job, if only their veils are known."""
    found: set[str] = set()
    for start in range(0, len(keys), _CHUNK):
        known_as = {
            as_kept: key for key in keys[start : start + _CHUNK] for as_kept in (key, veiled(key))
        }
        query = sa.select(polled.c.key).where(
            polled.c.trigger_id == trigger_id,
            polled.c.key.in_(known_as),
            polled.c.job_id.is_not(None),
        )
        found.update(known_as[each] for each in connection.execute(query).scalars())
    return found


def rejections(connection: sa.Connection, trigger_id: int, limit: int) -> Sequence[Row]:
    """The items that could not start a job, the newest first."""
    query = sa.select(polled).where(
        polled.c.trigger_id == trigger_id, polled.c.rejected.is_not(None)
    )
    return connection.execute(query.order_by(polled.c.at.desc(), polled.c.key).limit(limit)).all()


def counts_of_rejections(connection: sa.Connection) -> dict[int, int]:
    """By trigger: how many items could not start a job."""
    query = sa.select(polled.c.trigger_id, sa.func.count()).where(polled.c.rejected.is_not(None))
    return {row[0]: row[1] for row in connection.execute(query.group_by(polled.c.trigger_id))}


def _polled(connection: sa.Connection, trigger_id: int, asked: Json, **changed: Json) -> None:
    """A poll is over; with it what it was `asked` for, unless it was asked for again."""
    if asked is not None and get(connection, trigger_id).asked == asked:
        changed["asked"] = None
    _update(connection, trigger_id, **changed)


def _is_news(connection: sa.Connection, trigger_id: int, item: Rejected) -> bool:
    """Whether an item was not rejected before, or for another reason."""
    query = sa.select(polled.c.rejected).where(
        polled.c.trigger_id == trigger_id, polled.c.key == item.key
    )
    return connection.execute(query).scalar() != item.why


_insert_polled = insert(polled)
_insert_polled = _insert_polled.on_conflict_do_update(
    index_elements=[polled.c.trigger_id, polled.c.key],
    set_={name: _insert_polled.excluded[name] for name in ("job_id", "rejected", "at")},
)


def _remember(
    connection: sa.Connection,
    trigger_id: int,
    outcomes: Sequence[tuple[str, str | None, str | None]],
    at: float,
) -> None:
    """Write down what became of items: their keys, with a job or why they were rejected."""
    if outcomes:
        connection.execute(
            _insert_polled,
            [
                {"trigger_id": trigger_id, "key": key, "job_id": job, "rejected": why, "at": at}
                for key, job, why in outcomes
            ],
        )


# --- what people say ---


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants of a trigger: who, when, and why."""

    by: str
    at: float
    why: str = ""

    def to_json(self) -> Json:
        """As it is kept."""
        return {"by": self.by, "at": self.at, "why": self.why}


def pause(connection: sa.Connection, project: str, wanted: Defined, order: Order) -> None:
    """Let it fire no more until it is started; a later word on it takes the place of this one."""
    trigger_id = ensure(connection, project, wanted, order.at)
    _update(connection, trigger_id, paused=order.to_json())
    news.tell(connection, "triggers")


def start(connection: sa.Connection, project: str, wanted: Defined, order: Order) -> None:
    """Let it fire again, as if no worker had executed while it was paused."""
    row = get(connection, ensure(connection, project, wanted, order.at))
    if row.paused is None:
        return
    changed: dict[str, Json] = {"paused": None, "started": order.to_json()}
    if row.kind == "cron" and (row.cursor > order.at or row.definition["catch_up"] == "skip"):
        # A cursor ahead of the clock is from when the clock was wrong.
        changed["cursor"] = order.at
    _update(connection, row.id, **changed)


def ask(connection: sa.Connection, project: str, wanted: Defined, order: Order) -> None:
    """Ask the executing process to fire it now."""
    trigger_id = ensure(connection, project, wanted, order.at)
    _update(connection, trigger_id, asked=order.to_json())
    news.tell(connection, "triggers")
