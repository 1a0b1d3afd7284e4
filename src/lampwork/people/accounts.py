"""Accounts: people who may sign in, each with a role in some projects, or in all."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from lampwork.errors import InputInvalid, one_of
from lampwork.people import passwords, tokens
from lampwork.people.caller import Caller
from lampwork.store.people import accounts as rows
from lampwork.store.people.accounts import EVERYWHERE
from lampwork.store.people.audit import Act, recorded
from lampwork.store.store import Store
from lampwork.types import ROLES, Role
from lampwork.views import Account

__all__ = [
    "EVERYWHERE",
    "add",
    "are_there",
    "as_caller",
    "check_role",
    "disable",
    "enable",
    "get",
    "list_all",
    "normal_email",
    "of_rows",
    "set_password",
    "set_role",
]

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
_LONGEST_EMAIL = 254


def of_rows(found: rows.Rows) -> Account:
    """The account of a row, with its roles."""
    row = found.account
    return Account(
        email=row.email,
        status="active" if row.active else "disabled",
        roles=cast(Mapping[str, Role], found.roles),
        created_at=datetime.fromtimestamp(row.created_at, UTC),
    )


def as_caller(account: Account) -> Caller:
    """Who calls, when this person does."""
    named: dict[str, Role] = {
        name: role for name, role in account.roles.items() if name != EVERYWHERE
    }
    return Caller(account.email, named, everywhere=account.roles.get(EVERYWHERE))


async def add(
    store: Store, email: str, password: str, *, role: Role | None = None, project: str = EVERYWHERE
) -> Account:
    """Make an account, with a role if one is given. Raises AccountExists, InputInvalid."""
    email = normal_email(email)
    role = None if role is None else check_role(role)
    kept = await passwords.hashed(password)

    given = {} if role is None else {"role": role, "project": project}
    where = None if role is None or project == EVERYWHERE else project
    adding = recorded(Act("account.add", email, where, given), rows.add)
    await store.write(adding, f"a{secrets.token_hex(8)}", email, kept, (project, role))
    return await get(store, email)


async def get(store: Store, email: str) -> Account:
    """One account. Raises AccountNotFound."""
    return of_rows(await store.read(rows.get, normal_email(email)))


async def list_all(store: Store) -> Sequence[Account]:
    """All accounts, by their e-mail addresses."""
    return [of_rows(each) for each in await store.read(rows.of_all)]


async def are_there(store: Store) -> bool:
    """Whether anybody has an account."""
    return await store.read(rows.are_there)


async def disable(
    store: Store, email: str, *, project: str | None = None, keep_admins: bool = False
) -> None:
    """Let nobody sign in with it any more; its sessions are over. On record for the admins of a
    project, if it is named. Raises AccountNotFound, and LastAdmin to `keep_admins`."""
    act = Act("account.disable", normal_email(email), project)
    disabling = rows.keeping_admins(rows.set_active) if keep_admins else rows.set_active
    await store.write(recorded(act, disabling), normal_email(email), False)


async def enable(store: Store, email: str, *, project: str | None = None) -> None:
    """Let its person sign in again; on record as `disable` is. Raises AccountNotFound."""
    act = Act("account.enable", normal_email(email), project)
    await store.write(recorded(act, rows.set_active), normal_email(email), True)


async def set_password(
    store: Store,
    email: str,
    password: str,
    *,
    keep_session: str | None = None,
    project: str | None = None,
) -> None:
    """Give it another password; its sessions are over, but one to keep, by its token. On record
    as `disable` is.

    Raises AccountNotFound, InputInvalid.
    """
    kept = await passwords.hashed(password)
    act = Act("account.password", normal_email(email), project)
    changing = recorded(act, rows.set_password)
    keep = None if keep_session is None else tokens.digest(keep_session)
    await store.write(changing, normal_email(email), kept, keep)


async def set_role(
    store: Store,
    email: str,
    role: Role | None,
    *,
    project: str = EVERYWHERE,
    keep_admins: bool = False,
) -> None:
    """Give it a role in a project in place of the one it had, or take it.

    Raises AccountNotFound, InputInvalid, and LastAdmin to `keep_admins`.
    """
    role = None if role is None else check_role(role)
    where = None if project == EVERYWHERE else project
    act = Act("account.role", normal_email(email), where, {"role": role, "project": project})
    setting = rows.keeping_admins(rows.set_role) if keep_admins else rows.set_role
    await store.write(recorded(act, setting), normal_email(email), project, role)


def check_role(given: str) -> Role:
    """Raise InputInvalid for what is no role."""
    if given not in ROLES:
        raise InputInvalid(f'There is no role "{given}". {one_of(given, ROLES)}', problems=["role"])
    return given


def normal_email(given: str) -> str:
    """An e-mail address as it is kept: in lower case. Raises InputInvalid."""
    email = given.strip().lower()
    if len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise InputInvalid(
            f'"{given[:80]}" is no e-mail address. Give one such as ann@example.org.',
            problems=["email"],
        )
    return email
