"""Sessions: what a browser shows after somebody has signed in.

The token is 256 random bits, for a cookie that scripts can't read. `csrf` is what a page sends
beside it with each change, in a header, which no other site can: it follows from the token alone.
"""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from lampwork import clock
from lampwork.acting import acting, counted_as
from lampwork.errors import SignInNeeded, SignInRefused
from lampwork.people import accounts, passwords, tokens
from lampwork.people.caller import Caller
from lampwork.store.people import accounts as accounts_rows
from lampwork.store.people import sessions as rows
from lampwork.store.people.audit import Act, recorded
from lampwork.store.people.sessions import Bucket, NewSession
from lampwork.store.store import Store

__all__ = [
    "IDLE",
    "LASTS",
    "Session",
    "by_link",
    "check_password",
    "csrf_fits",
    "csrf_of",
    "of_token",
    "sign_in",
    "sign_out",
]

_log = logging.getLogger("lampwork.people")

LASTS = 7 * 24 * 3600.0
"""Seconds for which a session goes on, however often it is used."""

IDLE = 12 * 3600.0
"""Seconds after the last use at which it is over."""

_BY_LINK = "one-time link"


def _buckets(email: str, address: str) -> tuple[Bucket, ...]:
    """Ten guesses at once for an account, then one a minute; from an address, thirty, and ten."""
    return (
        Bucket(f"account {email}", most=10, every=60.0),
        Bucket(f"address {counted_as(address)}", most=30, every=6.0),
    )


@dataclass(frozen=True, slots=True)
class Session:
    """A session that goes on."""

    token: str
    caller: Caller
    expires_at: datetime

    @property
    def csrf(self) -> str:
        """What is sent beside the token with each change."""
        return csrf_of(self.token)

    def __repr__(self) -> str:
        return f"Session({self.caller.name!r})"


async def sign_in(store: Store, email: str, password: str, *, address: str) -> Session:
    """Begin a session with a password.

    It takes as long, and says the same, whether the account, the password or its being active is
    what lacks. Raises SignInRefused, TooManySignIns.
    """
    found = await check_password(store, email, password, address=address)
    caller = accounts.as_caller(accounts.of_rows(found))
    with acting(caller.name, address=address):
        return await _begin(store, caller, found.account, address)


async def check_password(
    store: Store, email: str, password: str, *, address: str
) -> accounts_rows.Rows:
    """The active account that has this password; guesses are counted.

    Raises SignInRefused, TooManySignIns.
    """
    email = _as_typed(email)
    buckets = _buckets(email, address)
    await store.write(rows.attempt, buckets)
    found = await store.read(accounts_rows.find, email)
    kept = passwords.NOBODYS if found is None else found.account.password
    if not await passwords.fits(password, kept) or found is None or not found.account.active:
        facts = {"event": "people.sign_in_refused", "address": address}
        _log.warning("an attempt to sign in from %s is refused", address, extra=facts)
        raise SignInRefused("No active account has this e-mail address and this password.")
    await store.write(rows.forgive, buckets[0].name)
    return found


def _as_typed(email: str) -> str:
    """What is no address takes as long as one that nobody has."""
    return email.strip().lower()[:320]


async def by_link(store: Store, token: str, *, address: str) -> Session:
    """Begin a session with a one-time link, as an admin of everything until there are accounts.

    Raises LinkInvalid.
    """
    await store.write(rows.use_link, tokens.digest(token))
    with acting(_BY_LINK, address=address):
        return await _begin(store, Caller(_BY_LINK, everywhere="admin"), None, address)


async def _begin(
    store: Store, caller: Caller, account: accounts_rows.Row | None, address: str
) -> Session:
    token = tokens.letters()
    new = NewSession(tokens.digest(token), address, LASTS)
    of = (None, None) if account is None else (account.id, account.password)
    await store.write(recorded(Act("session.begin", caller.name), rows.begin), new, *of)
    return Session(token, caller, datetime.fromtimestamp(clock.now() + LASTS, UTC))


async def of_token(store: Store, token: str) -> Session:
    """The session that a token proves. Raises SignInNeeded."""
    digest = tokens.digest(token)
    found = await store.read(rows.find, digest, IDLE)
    if found is None:
        raise SignInNeeded("This session is over. Sign in again.")
    if clock.now() - found.session.seen_at > rows.SEEN:
        store.submit(rows.seen, digest)
    caller = (
        Caller(_BY_LINK, everywhere="admin")
        if found.account is None
        else accounts.as_caller(accounts.of_rows(found.account))
    )
    return Session(token, caller, datetime.fromtimestamp(found.session.expires_at, UTC))


async def sign_out(store: Store, session: Session) -> None:
    """End a session."""
    ending = recorded(Act("session.end", session.caller.name), rows.end)
    await store.write(ending, tokens.digest(session.token))


def csrf_of(token: str) -> str:
    """What belongs to a session's token, and says nothing of it."""
    return hmac.digest(token.encode(), b"lampwork csrf", "sha256").hex()


def csrf_fits(token: str, given: str) -> bool:
    """Whether it is what belongs to the token."""
    return tokens.same(csrf_of(token), given)
