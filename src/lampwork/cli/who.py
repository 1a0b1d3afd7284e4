"""Who may use a project and has changed what, as verbs read and change it: in a folder or a
database, or at a server."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import click

from lampwork.cli.options import Options
from lampwork.cli.project import load, names_project
from lampwork.cli.reading import reading
from lampwork.errors import (
    AccountNotFound,
    KeyNotFound,
    ProjectError,
    ProjectNotFound,
    one_of,
    quoted,
)
from lampwork.people import accounts, audit_log, keys
from lampwork.people.accounts import EVERYWHERE
from lampwork.types import Role
from lampwork.views import Account, ApiKey, Entry, Page, Person

if TYPE_CHECKING:
    from lampwork.cli.at_server import AtServer
    from lampwork.insights import Insights

__all__ = ["Who", "changing", "looking"]

T = TypeVar("T")


class Who(Protocol):
    """Accounts, keys and the audit log. `project` is the one that is named, `*` all of them, None
    what is usual: in a folder or a database all of them, at a server its own."""

    async def accounts(self) -> Sequence[Account]: ...
    async def account(self, email: str) -> Account: ...
    async def add(
        self, email: str, password: str, *, role: Role | None, project: str | None
    ) -> Account: ...
    async def set_role(self, email: str, role: Role | None, *, project: str | None) -> Account: ...
    async def set_password(self, email: str, password: str) -> Account: ...
    async def disable(self, email: str) -> Account: ...
    async def enable(self, email: str) -> Account: ...

    async def keys(self, *, project: str | None) -> Sequence[ApiKey]: ...
    async def key(self, which: str) -> ApiKey: ...
    async def make_key(
        self, name: str, *, project: str | None, role: Role, lasts: float | None
    ) -> tuple[str, ApiKey]: ...
    async def revoke_key(self, which: str) -> ApiKey: ...

    async def changes(
        self, *, project: str | None, after: str | None, limit: int
    ) -> Page[Entry]: ...


class _AtPlace:
    """What the tables say."""

    def __init__(self, insights: Insights) -> None:
        self._insights = insights
        self._store = insights.store

    async def accounts(self) -> Sequence[Account]:
        return await accounts.list_all(self._store)

    async def account(self, email: str) -> Account:
        return await accounts.get(self._store, email)

    async def add(
        self, email: str, password: str, *, role: Role | None, project: str | None
    ) -> Account:
        where = await self._known(project or EVERYWHERE)
        return await accounts.add(self._store, email, password, role=role, project=where)

    async def set_role(self, email: str, role: Role | None, *, project: str | None) -> Account:
        where = project or EVERYWHERE
        if role is not None:  # one is taken from a project that is gone as well
            where = await self._known(where)
        await accounts.set_role(self._store, email, role, project=where)
        return await self.account(email)

    async def set_password(self, email: str, password: str) -> Account:
        await accounts.set_password(self._store, email, password)
        return await self.account(email)

    async def disable(self, email: str) -> Account:
        await accounts.disable(self._store, email)
        return await self.account(email)

    async def enable(self, email: str) -> Account:
        await accounts.enable(self._store, email)
        return await self.account(email)

    async def keys(self, *, project: str | None) -> Sequence[ApiKey]:
        return await keys.list_all(self._store, project=project)

    async def key(self, which: str) -> ApiKey:
        return await keys.get(self._store, which)

    async def make_key(
        self, name: str, *, project: str | None, role: Role, lasts: float | None
    ) -> tuple[str, ApiKey]:
        if project is None:
            raise click.UsageError("Say for which project the key is: --project NAME.")
        named = await self._known(project)
        return await keys.make(self._store, name, project=named, role=role, lasts=lasts)

    async def revoke_key(self, which: str) -> ApiKey:
        return await keys.revoke(self._store, which)

    async def changes(self, *, project: str | None, after: str | None, limit: int) -> Page[Entry]:
        return await audit_log.newest(self._store, project=project, after=after, limit=limit)

    async def _known(self, project: str) -> str:
        """The name of a project that has run here, or whose code is here or named; any, where there
        is neither. Raises ProjectNotFound.
        """
        if names_project(project):
            return load(project).name
        known = await self._insights.projects()
        if project in known or project == EVERYWHERE or await self._insights.has_people(project):
            return project
        known |= _of_code()
        if known and project not in known:
            which = one_of(project, sorted(known))
            raise ProjectNotFound(
                f"There is no project {quoted(project)} in {self._store.place}. {which} One that "
                "has never run here is named by its code: --project path/to/project.py."
            )
        return project


class _AtServer:
    """What a server lets an admin of its project see and do."""

    def __init__(self, server: AtServer) -> None:
        self._server = server

    async def accounts(self) -> Sequence[Account]:
        return [await self._account(each) for each in await self._server.people()]

    async def account(self, email: str) -> Account:
        named = accounts.normal_email(email)
        for each in await self.accounts():
            if each.email == named:
                return each
        raise AccountNotFound(f"Nobody of the server's project has the address {email}.")

    async def add(
        self, email: str, password: str, *, role: Role | None, project: str | None
    ) -> Account:
        if role is None:
            raise click.UsageError("Say what the account may do in the server's project: --role.")
        everywhere = await self._is_everywhere(project)
        added = await self._server.add_person(email, password, role=role, everywhere=everywhere)
        return await self._account(added)

    async def set_role(self, email: str, role: Role | None, *, project: str | None) -> Account:
        if await self._is_everywhere(project):
            raise click.UsageError(
                "A server gives roles in its own project. Type it where the state is, "
                "without --server, for one in all."
            )
        return await self._account(await self._server.set_role(email, role))

    async def set_password(self, email: str, password: str) -> Account:
        return await self._account(await self._server.set_password(email, password))

    async def disable(self, email: str) -> Account:
        return await self._account(await self._server.disable_person(email))

    async def enable(self, email: str) -> Account:
        return await self._account(await self._server.enable_person(email))

    async def _account(self, person: Person) -> Account:
        """A person, with what of the account the server's project may know."""
        named = (EVERYWHERE, await self._server.project())
        roles: dict[str, Role | None] = dict(
            zip(named, (person.everywhere, person.role), strict=True)
        )
        return Account(
            email=person.email,
            status=person.status,
            roles={name: role for name, role in roles.items() if role is not None},
            created_at=person.created_at,
        )

    async def keys(self, *, project: str | None) -> Sequence[ApiKey]:
        await self._is_everywhere(project)
        return await self._server.keys()

    async def key(self, which: str) -> ApiKey:
        meant = [
            each
            for each in await self._server.keys()
            if each.prefix == which or (each.name == which and each.revoked_at is None)
        ]
        if len(meant) != 1:
            prefixes = ", ".join(sorted(each.prefix for each in meant))
            several = f"Several keys are named {which}: {prefixes}. Name one of these."
            raise KeyNotFound(several if meant else f"The server's project has no key {which}.")
        return meant[0]

    async def make_key(
        self, name: str, *, project: str | None, role: Role, lasts: float | None
    ) -> tuple[str, ApiKey]:
        await self._is_everywhere(project)
        made = await self._server.make_key(name, role=role, expires_in=lasts)
        return made.key, made.made

    async def revoke_key(self, which: str) -> ApiKey:
        return await self._server.revoke_key(which)

    async def changes(self, *, project: str | None, after: str | None, limit: int) -> Page[Entry]:
        await self._is_everywhere(project)
        return await self._server.changes(after=after, limit=limit)

    async def _is_everywhere(self, project: str | None) -> bool:
        """Whether all projects are meant. Raises ProjectNotFound for one that is not its own."""
        own = await self._server.project()
        if project not in (None, EVERYWHERE, own):
            raise ProjectNotFound(
                f"The server has project {quoted(own)}, and no {quoted(project)}. Name that, or "
                "leave --project out."
            )
        return project == EVERYWHERE


def _of_code() -> set[str]:
    """The project whose code is here, if there is one and it can be imported."""
    with contextlib.suppress(ProjectError):
        return {load(None).name}
    return set()


async def looking(options: Options, look: Callable[[Who], Awaitable[T]]) -> T | None:
    """What `look` returns; None where nothing was ever written."""
    if (url := options.at_server) is not None:
        return await _at_server(options, url, look)
    return await reading(options, lambda insights: look(_AtPlace(insights)))


async def changing(options: Options, act: Callable[[Who], Awaitable[T]]) -> T:
    """What `act` returns, which may be the first that is written there."""
    if (url := options.at_server) is not None:
        return await _at_server(options, url, act)
    from lampwork.insights import Insights

    async with Insights.opened(options.settings.place) as insights:
        return await act(_AtPlace(insights))


async def _at_server(options: Options, url: str, act: Callable[[Who], Awaitable[T]]) -> T:
    from lampwork.cli.at_server import client_of  # the HTTP client takes its time

    async with client_of(options, url) as server:
        return await act(_AtServer(server))
