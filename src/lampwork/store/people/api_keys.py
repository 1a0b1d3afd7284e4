"""Rows of API keys. A key is kept by its digest; its prefix is there to recognise it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from lampwork import clock
from lampwork.errors import InputInvalid, KeyNotFound, quoted
from lampwork.store.people.sessions import SEEN
from lampwork.store.schema import api_keys

Row = sa.Row[Any]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is made."""

    prefix: str
    digest: str
    name: str
    project: str
    role: str
    created_by: str
    expires_at: float | None


def add(connection: sa.Connection, new: NewKey) -> None:
    """Insert a key. Raises InputInvalid for one that would have expired already."""
    now = clock.now()
    if new.expires_at is not None and new.expires_at <= now:
        raise InputInvalid("The key would have expired already. Give a later time.")
    connection.execute(sa.insert(api_keys).values(**asdict(new), created_at=now))


def find(connection: sa.Connection, prefix: str) -> Row | None:
    """A key that may be used, by its prefix."""
    query = sa.select(api_keys).where(
        api_keys.c.prefix == prefix,
        api_keys.c.revoked_at.is_(None),
        sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > clock.now()),
    )
    return connection.execute(query).first()


def of_all(connection: sa.Connection, project: str | None) -> Sequence[Row]:
    """The keys, of a project if it is named, the newest first."""
    query = sa.select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.prefix)
    if project is not None:
        query = query.where(api_keys.c.project == project)
    return connection.execute(query).all()


def meant(connection: sa.Connection, which: str, project: str | None = None) -> Row:
    """A key, of a project if it is named, by its prefix, or by a name that one in use has.

    Raises KeyNotFound.
    """
    query = sa.select(api_keys).where(
        sa.or_(
            api_keys.c.prefix == which,
            sa.and_(api_keys.c.name == which, api_keys.c.revoked_at.is_(None)),
        )
    )
    if project is not None:
        query = query.where(api_keys.c.project == project)
    found = connection.execute(query).all()
    if len(found) == 1:
        return found[0]
    if found:
        prefixes = ", ".join(sorted(row.prefix for row in found))
        raise KeyNotFound(f"Several keys are named {quoted(which)}: {prefixes}. Name one of these.")
    raise KeyNotFound(f"There is no key {quoted(which)}. `lampwork keys` lists those there are.")


def revoke(connection: sa.Connection, prefix: str) -> None:
    """Let a key be used no more. Raises KeyNotFound."""
    key = meant(connection, prefix)
    if key.revoked_at is None:
        of_it = sa.update(api_keys).where(api_keys.c.prefix == key.prefix)
        connection.execute(of_it.values(revoked_at=clock.now()))


def used(connection: sa.Connection, prefix: str) -> None:
    """A key was used."""
    now = clock.now()
    of_it = sa.update(api_keys).where(
        api_keys.c.prefix == prefix,
        sa.or_(api_keys.c.used_at.is_(None), api_keys.c.used_at < now - SEEN / 2),
    )
    connection.execute(of_it.values(used_at=now))
