"""Rows of sessions, of one-time links, and of attempts to sign in.

Tokens are random and kept by their digests, so whoever reads these tables can't use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.errors import LinkInvalid, SignInRefused, TooManySignIns
from lampwork.store.people import accounts
from lampwork.store.schema import accounts as accounts_table
from lampwork.store.schema import attempts, links, sessions
from lampwork.store.upkeep.keys import veiled

SEEN = 60.0
"""Seconds to within which it is known when something was last used: not each use is a commit."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that begins."""

    digest: str
    address: str
    lasts: float
    """Seconds, however often it is used."""


@dataclass(frozen=True, slots=True)
class Found:
    """A session that goes on, with its account; None of whoever had the link."""

    session: Any
    account: accounts.Rows | None


def begin(
    connection: sa.Connection, new: NewSession, account_id: str | None, password: str | None
) -> None:
    """Write a session down, unless the account was changed since its password was compared.

    Raises SignInRefused.
    """
    now = clock.now()
    if account_id is not None:
        query = sa.select(accounts_table).where(
            accounts_table.c.id == account_id,
            accounts_table.c.active,
            accounts_table.c.password == password,
        )
        if connection.execute(query).first() is None:
            raise SignInRefused("The account was changed meanwhile. Sign in again.")
    connection.execute(sa.delete(sessions).where(sessions.c.expires_at <= now))
    connection.execute(
        sa.insert(sessions).values(
            digest=new.digest,
            account_id=account_id,
            address=new.address,
            created_at=now,
            expires_at=now + new.lasts,
            seen_at=now,
        )
    )


def find(connection: sa.Connection, digest: str, idle: float) -> Found | None:
    """A session that is not over: unused for not more than `idle` seconds, of an active account.

    That of the link is over when somebody has an account.
    """
    now = clock.now()
    query = sa.select(sessions, accounts_table.c.email).where(
        sessions.c.digest == digest,
        sessions.c.expires_at > now,
        sessions.c.seen_at > now - idle,
    )
    joined = sessions.outerjoin(accounts_table, accounts_table.c.id == sessions.c.account_id)
    session = connection.execute(query.select_from(joined)).first()
    if session is None:
        return None
    if session.account_id is None:
        return None if accounts.are_there(connection) else Found(session, None)
    account = None if session.email is None else accounts.find(connection, session.email)
    return Found(session, account) if account is not None and account.account.active else None


def seen(connection: sa.Connection, digest: str) -> None:
    """A session was used."""
    now = clock.now()
    used = sa.update(sessions).where(sessions.c.digest == digest, sessions.c.seen_at < now)
    connection.execute(used.values(seen_at=now))


def end(connection: sa.Connection, digest: str) -> None:
    """Somebody signs out."""
    connection.execute(sa.delete(sessions).where(sessions.c.digest == digest))


# --- one-time links ---


def offer_link(connection: sa.Connection, digest: str, lasts: float) -> None:
    """A link that may be used once; the one before it may not, any more."""
    connection.execute(sa.delete(links))
    connection.execute(sa.insert(links).values(digest=digest, expires_at=clock.now() + lasts))


def use_link(connection: sa.Connection, digest: str) -> None:
    """Use a link, which is gone then. Raises LinkInvalid."""
    used = sa.delete(links).where(links.c.digest == digest, links.c.expires_at > clock.now())
    if accounts.are_there(connection) or connection.execute(used).rowcount == 0:
        raise LinkInvalid(
            "This link was used, is older than 15 minutes, or there are accounts by now. "
            "Sign in, or start the server again for a new link."
        )


# --- attempts ---


@dataclass(frozen=True, slots=True)
class Bucket:
    """What attempts are taken from: so many at once, and one more each so many seconds."""

    name: str
    most: int
    every: float


def attempt(connection: sa.Connection, buckets: tuple[Bucket, ...]) -> None:
    """Take an attempt from each bucket. Raises TooManySignIns, and then none is taken.

    In rows, so that guesses are counted over all servers, and over their restarts; buckets that are
    full again have no row, so there are no more than attempts of some minutes.
    """
    now = clock.now()
    connection.execute(sa.delete(attempts).where(attempts.c.until <= now))
    for bucket in buckets:
        name = veiled(bucket.name)
        query = sa.select(attempts.c.until).where(attempts.c.name == name)
        until = max(now, connection.execute(query).scalar() or now) + bucket.every
        if until > now + bucket.most * bucket.every + 1e-6:
            wait = until - now - bucket.most * bucket.every
            raise TooManySignIns(
                f"There were too many attempts to sign in. Try again in {wait:.0f} seconds.",
                retry_after=round(wait, 1),
            )
        connection.execute(_take, {"name": name, "until": until})


_take = insert(attempts)
_take = _take.on_conflict_do_update(index_elements=["name"], set_={"until": _take.excluded.until})


def forgive(connection: sa.Connection, *names: str) -> None:
    """Somebody has signed in: what was taken before counts no more."""
    veils = [veiled(name) for name in names]
    connection.execute(sa.delete(attempts).where(attempts.c.name.in_(veils)))
