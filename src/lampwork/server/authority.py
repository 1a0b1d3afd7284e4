"""Who calls the API, and what that takes: the one place where routes ask.

A route says `who: May.start` and gets the caller, or is not run at all.
"""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import Depends, Request

from lampwork.people import Caller, Role

__all__ = ["AnyoneHere", "Authority", "May", "who"]


class Authority(Protocol):
    """Knows callers by what their requests bring: a session, a key."""

    async def caller(self, request: Request) -> Caller:
        """Who sent a request. Raises SignInNeeded."""
        ...


class AnyoneHere:
    """On loopback without accounts: whoever reaches the server is an admin of everything."""

    async def caller(self, request: Request) -> Caller:
        return Caller("local", everywhere="admin")


async def who(request: Request) -> Caller:
    """Who calls. Raises SignInNeeded."""
    authority: Authority = request.app.state.authority
    return await authority.caller(request)


class _Needs:
    """Who calls, if they have a role in the project that is served."""

    def __init__(self, role: Role) -> None:
        self.role: Role = role

    async def __call__(self, request: Request, who: Annotated[Caller, Depends(who)]) -> Caller:
        who.require(request.app.state.project, self.role)
        return who


class May:
    """What routes ask for, by what they let do. Raises SignInNeeded, RoleLacking, NotFound."""

    see = Annotated[Caller, Depends(_Needs("viewer"))]
    build = Annotated[Caller, Depends(_Needs("builder"))]
    decide = Annotated[Caller, Depends(_Needs("approver"))]
    administer = Annotated[Caller, Depends(_Needs("admin"))]
