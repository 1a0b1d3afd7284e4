"""Who calls the API, and what that takes: the one place where routes ask.

A route says `who: May.start` and gets the caller, or is not run at all.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Protocol
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from lampwork.acting import acting
from lampwork.errors import SignInNeeded
from lampwork.people import Caller, accounts, keys, sessions
from lampwork.types import Role

if TYPE_CHECKING:
    from lampwork.store.store import Store

__all__ = [
    "COOKIE",
    "HOST_COOKIE",
    "Authority",
    "KnownCallers",
    "May",
    "Who",
    "address_of",
    "cookie_of",
    "is_over_tls",
    "let_in",
    "needs_of",
    "require",
]

COOKIE = "lampwork_session"
"""The cookie with the token of a session, over plain HTTP."""

HOST_COOKIE = f"__Host-{COOKIE}"
"""The same over TLS: so named, browsers take it of this host alone, never of a neighbour or of
what somebody between has made of a page (RFC 6265bis, 4.1.3.2)."""

_CSRF = "x-csrf-token"
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_CHANGES_NOTHING = ("GET", "HEAD", "OPTIONS")
_ENDPOINTS = "/run/"
"""Below it each call starts a job, a GET as well."""


class Authority(Protocol):
    """Knows callers by what their requests bring: a session, a key."""

    async def caller(self, request: Request) -> Caller:
        """Who sent a request. Raises SignInNeeded."""
        ...


class KnownCallers:
    """Knows programs by their API keys and people by their sessions.

    While nobody has an account, `on_loopback`, whoever reaches the server is its admin: but for
    pages of other sites, which a browser on this machine would let in.
    """

    def __init__(self, store: Store, *, on_loopback: bool) -> None:
        self._store = store
        self._on_loopback = on_loopback
        self._has_accounts = False

    async def caller(self, request: Request) -> Caller:
        if (given := request.headers.get("authorization")) is not None:
            scheme, _, key = given.partition(" ")
            if scheme.lower() != "bearer":
                raise SignInNeeded("Send an API key as `Authorization: Bearer lw_…`.")
            return await keys.of_text(self._store, key.strip())
        if (token := request.cookies.get(cookie_of(request))) is not None:
            return await self._of_session(request, token)
        if self._on_loopback and _is_of_this_machine(request) and not await self._anybody():
            return Caller("local", everywhere="admin")
        raise SignInNeeded(
            "Send an API key as `Authorization: Bearer lw_…` (lampwork key NAME new), or sign in."
        )

    async def _of_session(self, request: Request, token: str) -> Caller:
        session = await sessions.of_token(self._store, token)
        if _changes_something(request):
            given = request.headers.get(_CSRF, "")
            if not sessions.csrf_fits(token, given):
                raise SignInNeeded(
                    f"A change in a session takes its {_CSRF} header, which GET /api/session tells."
                )
        return session.caller

    async def _anybody(self) -> bool:
        """Whether somebody has an account: once that is so, it is not asked again."""
        self._has_accounts = self._has_accounts or await accounts.are_there(self._store)
        return self._has_accounts


def _changes_something(request: Request) -> bool:
    starts_a_job = request.scope["path"].startswith(_ENDPOINTS)
    return starts_a_job or request.method not in _CHANGES_NOTHING


def _is_of_this_machine(request: Request) -> bool:
    """Whether it came past no proxy, and by no page of another site, whatever name that has."""
    if any(name in request.headers for name in _OF_PROXIES):
        return False
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "none")
    try:
        own = origin is None or urlsplit(origin).netloc == host
        here = _is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:  # such as `[`, which begins an address and ends none
        return False
    return here and own and site in ("none", "same-origin")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_over_tls(request: Request) -> bool:
    """Whether nobody between can read a request, or change it."""
    return request.scope["scheme"] == "https"


def cookie_of(request: Request) -> str:
    """The name of the session's cookie."""
    return HOST_COOKIE if is_over_tls(request) else COOKIE


def address_of(request: Request) -> str:
    """Where a request came from."""
    return "unknown" if request.client is None else request.client.host


async def _caller(request: Request) -> Caller:
    """Who calls, asked once for a request. Raises SignInNeeded."""
    if not hasattr(request.state, "caller"):
        authority: Authority = request.app.state.authority
        request.state.caller = await authority.caller(request)
    return request.state.caller


async def _who(request: Request) -> AsyncGenerator[Caller]:
    """Who calls; what is changed meanwhile is in their name. Raises SignInNeeded."""
    caller = await _caller(request)
    with acting(caller.name, address=address_of(request)):
        yield caller


Who = Annotated[Caller, Depends(_who)]
"""Who calls, whatever they may do."""


async def require(request: Request, role: Role) -> None:
    """Raise SignInNeeded, RoleLacking or NotFound if who once called may not do it any more."""
    authority: Authority = request.app.state.authority
    caller = await authority.caller(request)
    caller.require(request.app.state.project, role)


class _Needs:
    """Who calls, if they have a role in the project that is served."""

    def __init__(self, role: Role) -> None:
        self.role: Role = role

    async def __call__(self, request: Request, who: Who) -> Caller:
        who.require(request.app.state.project, self.role)
        return who


class May:
    """What routes ask for, by what they let do. Raises SignInNeeded, RoleLacking, NotFound."""

    see = Annotated[Caller, Depends(_Needs("viewer"))]
    build = Annotated[Caller, Depends(_Needs("builder"))]
    decide = Annotated[Caller, Depends(_Needs("approver"))]
    administer = Annotated[Caller, Depends(_Needs("admin"))]


# --- before a body is read ---


def needs_of(route: Dependant) -> Sequence[Role | None]:
    """What a route asks of its caller: roles; None is that somebody knows who it is."""
    return list(_needs_in(route))


def _needs_in(asked: Dependant) -> Iterator[Role | None]:
    for each in asked.dependencies:
        if each.call is _who:
            yield None
        elif isinstance(each.call, _Needs):
            yield each.call.role
        yield from _needs_in(each)


async def let_in(request: Request, needs: Sequence[Role | None]) -> None:
    """Raise SignInNeeded, RoleLacking or NotFound before anything of the request's body is read."""
    for role in needs:
        caller = await _caller(request)
        if role is not None:
            caller.require(request.app.state.project, role)
