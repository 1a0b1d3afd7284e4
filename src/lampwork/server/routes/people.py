"""Who may do what in a project, with which keys, and what was done: for its admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from lampwork.errors import AccountNotFound, RoleLacking
from lampwork.people import Caller, accounts, audit_log, keys
from lampwork.people.accounts import EVERYWHERE
from lampwork.people.caller import may
from lampwork.server.authority import May
from lampwork.server.lists import After, Limit, whole
from lampwork.server.requests import Body, ExactRoute
from lampwork.server.serving import Here, ProjectName
from lampwork.types import Role
from lampwork.views import (
    Account,
    ApiKey,
    Entry,
    MadeKey,
    Page,
    Person,
)

router = APIRouter(route_class=ExactRoute, tags=["people"], prefix="/api/projects/{project}")


# --- people ---


def _person(account: Account, project: ProjectName) -> Person:
    return Person(
        email=account.email,
        status=account.status,
        role=account.roles.get(project.name),
        everywhere=account.roles.get(EVERYWHERE),
        created_at=account.created_at,
    )


@router.get("/people")
async def list_people(who: May.administer, project: ProjectName, here: Here) -> Page[Person]:
    """The people who have a role in this project."""
    found = [_person(each, project) for each in await accounts.list_all(here.door.store)]
    return whole([each for each in found if each.role or each.everywhere])


class NewPerson(Body):
    """Somebody who is to sign in."""

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=1024)]
    role: Role
    everywhere: bool = Field(False, description="In all projects; takes an admin of all of them.")


@router.post("/people", status_code=201)
async def add_person(
    who: May.administer, project: ProjectName, here: Here, new: NewPerson
) -> Person:
    """Make an account, with a role in this project, or in all."""
    if new.everywhere:
        _require_everywhere(who, "Leave everywhere out.")
    where = EVERYWHERE if new.everywhere else project.name
    account = await accounts.add(
        here.door.store, new.email, new.password, role=new.role, project=where
    )
    return _person(account, project)


class NewRole(Body):
    """What somebody may do in this project from now on."""

    role: Role | None = Field(description="None: no more than everywhere.")


@router.put("/people/{email}")
async def set_role(
    who: May.administer, project: ProjectName, here: Here, email: str, given: NewRole
) -> Person:
    """Give somebody who has an account a role in this project, or take it.

    What somebody may do in all projects, only an admin of all makes less here. The last active
    admin stays one.
    """
    store = here.door.store
    everywhere = (await accounts.get(store, email)).roles.get(EVERYWHERE)
    if everywhere and given.role and not may(given.role, everywhere):
        _require_everywhere(who, f"{email} is {everywhere} in all projects. Ask one of them.")
    await accounts.set_role(store, email, given.role, project=project.name, keep_admins=True)
    return _person(await accounts.get(store, email), project)


@router.post("/people/{email}/disable")
async def disable_person(
    who: May.administer, project: ProjectName, here: Here, email: str
) -> Person:
    """Let nobody sign in with an account any more; its sessions are over. Not the last admin's."""
    await _require_whole(who, project, here, email)
    await accounts.disable(here.door.store, email, project=project.name, keep_admins=True)
    return _person(await accounts.get(here.door.store, email), project)


@router.post("/people/{email}/enable")
async def enable_person(
    who: May.administer, project: ProjectName, here: Here, email: str
) -> Person:
    """Let its person sign in again."""
    await _require_whole(who, project, here, email)
    await accounts.enable(here.door.store, email, project=project.name)
    return _person(await accounts.get(here.door.store, email), project)


class NewPassword(Body):
    """With what a person signs in from now on."""

    password: Annotated[str, Field(max_length=1024)]


@router.put("/people/{email}/password")
async def set_password(
    who: May.administer, project: ProjectName, here: Here, email: str, new: NewPassword
) -> Person:
    """Give an account another password; its sessions are over."""
    await _require_whole(who, project, here, email)
    await accounts.set_password(here.door.store, email, new.password, project=project.name)
    return _person(await accounts.get(here.door.store, email), project)


async def _require_whole(who: Caller, project: ProjectName, here: Here, email: str) -> None:
    """Raise unless the caller is an admin of all that an account may use.

    AccountNotFound if it has nothing to do with this project; RoleLacking.
    """
    roles = (await accounts.get(here.door.store, email)).roles
    if who.everywhere == "admin":
        return
    if not roles.keys() & {project.name, EVERYWHERE}:
        raise AccountNotFound(f"Nobody of project {project.name} has the address {email}.")
    if set(roles) != {project.name}:
        raise RoleLacking(
            f"{email} has roles in other projects as well, and {who.name} is no admin of all. Ask "
            "one who is, or take the role in this project.",
            role="admin",
        )


def _require_everywhere(who: Caller, instead: str) -> None:
    if who.everywhere != "admin":
        raise RoleLacking(
            f"{who.name} is no admin of all projects, and this takes one. {instead}", role="admin"
        )


# --- keys ---


class NewKey(Body):
    """A key that is to be made."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    role: Role
    expires_in: Annotated[
        float | None, Field(gt=0, le=3.2e9, description="Seconds; for ever without it.")
    ] = None


@router.get("/keys")
async def list_keys(who: May.administer, project: ProjectName, here: Here) -> Page[ApiKey]:
    """The API keys of a project, without what is secret of them."""
    return whole(await keys.list_all(here.door.store, project=project.name))


@router.post("/keys", status_code=201)
async def make_key(who: May.administer, project: ProjectName, here: Here, new: NewKey) -> MadeKey:
    """Make an API key, and show it."""
    text, made = await keys.make(
        here.door.store, new.name, project=project.name, role=new.role, lasts=new.expires_in
    )
    return MadeKey(key=text, made=made)


@router.delete("/keys/{prefix}")
async def revoke_key(who: May.administer, project: ProjectName, here: Here, prefix: str) -> ApiKey:
    """Let a key be used no more."""
    return await keys.revoke(here.door.store, prefix, project=project.name)


# --- the log ---


@router.get("/audit")
async def list_changes(
    who: May.administer, project: ProjectName, here: Here, after: After = None, limit: Limit = 50
) -> Page[Entry]:
    """Who changed what in this project, the newest first."""
    return await audit_log.newest(here.door.store, project=project.name, after=after, limit=limit)
