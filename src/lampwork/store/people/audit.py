"""The audit log: who changed what, when and from where; appended to, and never changed.

An entry is written in the transaction of the change that it tells of. Its digest is over the one
before it and over the digest of its text, not over the text: so a text may be blanked, when a
person is erased, and the chain still holds. A text bears a random salt, so that the digest which
stays tells nothing of what was there.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from lampwork import clock
from lampwork.acting import Actor, actor
from lampwork.store.schema import audit, audit_head, jobs, tasks, waits
from lampwork.types import Json

P = ParamSpec("P")
T = TypeVar("T")

BEFORE_ALL = ""
"""What the first entry has before it."""

BLANKED = "audit.blank"
"""What is on record where texts of the log were erased."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is done: `job.cancel`, on which thing, in which project, and how."""

    action: str
    on: str | None = None
    """None: what the change returns, an id or a row with that of a job."""
    project: str | None = None
    """None: that of the job, task or wait that it is done on."""
    details: dict[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry: its number, which is how many there are, and its digest."""

    seq: int
    digest: str


def recorded(
    act: Act, change: Callable[Concatenate[sa.Connection, P], T]
) -> Callable[Concatenate[sa.Connection, P], T]:
    """The change, with its entry in the log if somebody acts here; refused, it leaves none."""
    by = actor()
    if by is None:
        return change

    def both(connection: sa.Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result = change(connection, *args, **kwargs)
        append(connection, act, by, result)
        return result

    return both


def nothing(_connection: sa.Connection) -> None:
    """A change that took several transactions, and has been made."""


def append(connection: sa.Connection, act: Act, by: Actor, result: object = None) -> None:
    """Write an entry."""
    on = _id_of(result) if act.on is None else act.on
    project = act.project or _project_of(connection, on)
    content = {"who": by.name, "address": by.address, "on": on, "details": act.details}
    text = written(content | {"salt": secrets.token_hex(16)})
    before = head(connection)
    now, digest = clock.now(), digest_of(text)
    seq = before.seq + 1
    chained = link(before.digest, seq, now, project, act.action, digest)
    connection.execute(
        sa.insert(audit).values(
            seq=seq,
            at=now,
            project=project,
            action=act.action,
            content=text,
            content_digest=digest,
            digest=chained,
        )
    )
    where = sa.update(audit_head).where(audit_head.c.id == 1)
    if connection.execute(where.values(seq=seq, digest=chained)).rowcount == 0:
        connection.execute(sa.insert(audit_head).values(id=1, seq=seq, digest=chained))


def _id_of(result: object) -> str | None:
    found = getattr(result, "job_id", result)
    return found if isinstance(found, str) else None


def head(connection: sa.Connection) -> Head:
    """The last entry that was written, as it was noted beside the log."""
    found = connection.execute(sa.select(audit_head.c.seq, audit_head.c.digest)).first()
    return Head(0, BEFORE_ALL) if found is None else Head(found.seq, found.digest)


def page(connection: sa.Connection, *, after: int, limit: int) -> tuple[Sequence[Any], Head]:
    """Entries in their order, and the head at that moment."""
    query = sa.select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
    return connection.execute(query).all(), head(connection)


def newest(
    connection: sa.Connection, *, project: str | None, before: int | None, limit: int
) -> Sequence[Any]:
    """Entries, the newest first; those of one project, if it is named."""
    query = sa.select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if project is not None:
        query = query.where(audit.c.project == project)
    if before is not None:
        query = query.where(audit.c.seq < before)
    return connection.execute(query).all()


def naming(connection: sa.Connection, name: str) -> Sequence[int]:
    """The entries whose text names somebody as who, or as what it was done on."""
    texts = sa.select(audit.c.seq, audit.c.content).where(audit.c.content.contains(name))
    return [row.seq for row in connection.execute(texts) if _names(row.content, name)]


def blank(connection: sa.Connection, seqs: Sequence[int], by: Actor | None) -> None:
    """Erase the texts of entries; that they were, when and of what kind, stays.

    An entry says of which, whoever it was: a text that is gone without one was not erased, but
    taken away. Those that an entry named which is blank itself now are named again.
    """
    there = sa.select(audit.c.action, audit.c.content).where(audit.c.seq.in_(seqs))
    texts = [row.content for row in connection.execute(there) if row.action == BLANKED]
    named = {*seqs, *(seq for text in texts if text is not None for seq in blanked_by(text))}
    connection.execute(sa.update(audit).where(audit.c.seq.in_(seqs)).values(content=None))
    act = Act(BLANKED, details={"entries": sorted(named)})
    append(connection, act, by or Actor("code", ""))


def blanked_by(text: str) -> Sequence[int]:
    """The entries that were blanked, by the text of an entry that says so."""
    return json.loads(text)["details"]["entries"]


def _names(text: str, name: str) -> bool:
    content = json.loads(text)
    return name in (content["who"], content["on"])


def written(content: Json) -> str:
    """A text of which there is one way to write it."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest_of(text: str) -> str:
    """Its digest."""
    return hashlib.sha256(text.encode()).hexdigest()


def link(
    before: str, seq: int, at: float, project: str | None, action: str, content_digest: str
) -> str:
    """The digest of an entry, over all that must not change of it and the digest before it."""
    return digest_of(written([before, seq, at, project, action, content_digest]))


def _project_of(connection: sa.Connection, on: str | None) -> str | None:
    """The project of a job, of a task, or of a wait."""
    of_job = sa.select(jobs.c.project)
    match (on or "")[:1]:
        case "j":
            query = of_job.where(jobs.c.id == on)
        case "t":
            query = of_job.join(tasks, tasks.c.job_id == jobs.c.id).where(tasks.c.id == on)
        case "w":
            query = of_job.join(waits, waits.c.job_id == jobs.c.id).where(waits.c.id == on)
        case _:
            return None
    return connection.execute(query).scalar()
