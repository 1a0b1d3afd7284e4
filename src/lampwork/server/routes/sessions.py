"""Signing in and out, and who one is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from lampwork.errors import SignInNeeded
from lampwork.people import Caller, accounts, sessions
from lampwork.people.sessions import Session
from lampwork.server.authority import Who, address_of, cookie_of, is_over_tls
from lampwork.server.requests import Body, SmallRoute
from lampwork.server.serving import Here
from lampwork.types import Role

router = APIRouter(route_class=SmallRoute, tags=["people"])

Secret = Annotated[str, Field(max_length=1024)]


class Me(BaseModel):
    """Who calls, and what they may do."""

    name: str
    role: Role | None = Field(description="In the project that is served.")


class SignedIn(Me):
    """A session that goes on."""

    csrf: str = Field(description="What each change sends beside the cookie, as X-CSRF-Token.")
    expires_at: datetime


class Password(Body):
    """With what a person signs in."""

    email: Annotated[str, Field(max_length=254)]
    password: Secret


class Link(Body):
    """The token of the link that a server without accounts prints."""

    token: Secret


@router.post("/api/session", status_code=201)
async def sign_in(given: Password, request: Request, response: Response, here: Here) -> SignedIn:
    """Begin a session, whose token comes as a cookie."""
    address = address_of(request)
    session = await sessions.sign_in(here.door.store, given.email, given.password, address=address)
    return _begun(session, request, response, here)


@router.post("/api/session/link", status_code=201)
async def sign_in_by_link(
    given: Link, request: Request, response: Response, here: Here
) -> SignedIn:
    """Begin a session with a one-time link, while nobody has an account."""
    session = await sessions.by_link(here.door.store, given.token, address=address_of(request))
    return _begun(session, request, response, here)


@router.get("/api/session")
async def get_session(who: Who, request: Request, here: Here) -> SignedIn | Me:
    """Who calls, and of a session, what its changes send beside the cookie."""
    token = request.cookies.get(cookie_of(request))
    if token is None or "authorization" in request.headers:
        return _me(who, here)
    return _shown(await sessions.of_token(here.door.store, token), here)


class ChangedPassword(Body):
    """One's own password, in place of the one that it was."""

    password: Secret
    new_password: Secret


@router.put("/api/session/password", status_code=204)
async def change_password(who: Who, given: ChangedPassword, request: Request, here: Here) -> None:
    """Take another password; one's other sessions are over."""
    token = request.cookies.get(cookie_of(request))
    if token is None or "authorization" in request.headers:
        raise SignInNeeded("A password is changed by who has signed in with it: sign in first.")
    store = here.door.store
    address = address_of(request)
    await sessions.check_password(store, who.name, given.password, address=address)
    await accounts.set_password(store, who.name, given.new_password, keep_session=token)


@router.delete("/api/session", status_code=204)
async def sign_out(who: Who, request: Request, response: Response, here: Here) -> None:
    """End the session."""
    token = request.cookies.get(cookie_of(request))
    if token is not None and "authorization" not in request.headers:
        store = here.door.store
        await sessions.sign_out(store, await sessions.of_token(store, token))
        response.delete_cookie(
            cookie_of(request),
            path="/",
            httponly=True,
            samesite="lax",
            secure=is_over_tls(request),
        )


def _begun(session: Session, request: Request, response: Response, here: Here) -> SignedIn:
    response.set_cookie(
        cookie_of(request),
        session.token,
        max_age=int(sessions.LASTS),
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_over_tls(request),
    )
    return _shown(session, here)


def _me(caller: Caller, here: Here) -> Me:
    return Me(name=caller.name, role=caller.role_in(here.project.name))


def _shown(session: Session, here: Here) -> SignedIn:
    me = _me(session.caller, here).model_dump()
    return SignedIn(**me, csrf=session.csrf, expires_at=session.expires_at)
