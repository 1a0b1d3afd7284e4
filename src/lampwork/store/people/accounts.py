"""Rows of accounts and of their roles. Every function runs inside one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.errors import AccountExists, AccountNotFound, LastAdmin
from lampwork.store.schema import accounts, roles, sessions

P = ParamSpec("P")
Row = sa.Row[Any]

EVERYWHERE = "*"
"""Stands for each project in which an account has no role of its own."""


@dataclass(frozen=True, slots=True)
class Rows:
    """An account, with its roles by project."""

    account: Row
    roles: dict[str, str]


def add(
    connection: sa.Connection,
    account_id: str,
    email: str,
    password: str,
    given: tuple[str, str | None],
) -> None:
    """Insert an account, which is `given` a role in a project, or none. Raises AccountExists."""
    values = {"id": account_id, "email": email, "password": password}
    new = insert(accounts).values(**values, active=True, created_at=clock.now())
    if connection.execute(new.on_conflict_do_nothing()).rowcount == 0:
        raise AccountExists(
            f"There is an account {email} already: lampwork account {email}", email=email
        )
    project, role = given
    set_role(connection, email, project, role)


def of_all(connection: sa.Connection) -> Sequence[Rows]:
    """All accounts, by their e-mail addresses."""
    found = connection.execute(sa.select(accounts).order_by(accounts.c.email)).all()
    return [Rows(row, roles_of(connection, row.id)) for row in found]


def find(connection: sa.Connection, email: str) -> Rows | None:
    """The account of an e-mail address, if there is one."""
    row = connection.execute(sa.select(accounts).where(accounts.c.email == email)).first()
    return None if row is None else Rows(row, roles_of(connection, row.id))


def get(connection: sa.Connection, email: str) -> Rows:
    """The account of an e-mail address. Raises AccountNotFound."""
    found = find(connection, email)
    if found is None:
        raise AccountNotFound(
            f"There is no account {email}. `lampwork accounts` lists those there are.", email=email
        )
    return found


def roles_of(connection: sa.Connection, account_id: str) -> dict[str, str]:
    """The roles of an account, by project."""
    query = sa.select(roles.c.project, roles.c.role).where(roles.c.account_id == account_id)
    found = connection.execute(query.order_by(roles.c.project))
    return {row.project: row.role for row in found}


def are_there(connection: sa.Connection) -> bool:
    """Whether anybody has an account."""
    return connection.execute(sa.select(accounts.c.id).limit(1)).first() is not None


def set_active(connection: sa.Connection, email: str, active: bool) -> None:
    """Let an account sign in, or not; then its sessions are over. Raises AccountNotFound."""
    account = get(connection, email).account
    _update(connection, account.id, active=active)
    if not active:
        end_sessions(connection, account.id)


def set_password(
    connection: sa.Connection, email: str, password: str, keep: str | None = None
) -> None:
    """Another password; all sessions but one to `keep` are over. Raises AccountNotFound."""
    account = get(connection, email).account
    _update(connection, account.id, password=password)
    end_sessions(connection, account.id, keep)


def set_role(connection: sa.Connection, email: str, project: str, role: str | None) -> None:
    """Give a role in a project, or take it. Raises AccountNotFound."""
    account = get(connection, email).account
    of_it = (roles.c.account_id == account.id) & (roles.c.project == project)
    connection.execute(sa.delete(roles).where(of_it))
    if role is not None:
        given = {"account_id": account.id, "project": project, "role": role}
        connection.execute(sa.insert(roles).values(**given))


def keeping_admins(
    change: Callable[Concatenate[sa.Connection, str, P], None],
) -> Callable[Concatenate[sa.Connection, str, P], None]:
    """A change of the account of an e-mail address that leaves an active admin where there was one:
    in each project, and of all. Raises LastAdmin, and what the change raises."""

    def both(connection: sa.Connection, email: str, /, *args: P.args, **kwargs: P.kwargs) -> None:
        before = _roles_of_active(connection)
        change(connection, email, *args, **kwargs)
        after = _roles_of_active(connection)
        places = {place for held in (*before, *after) for place in held}
        if lost := _administered(before, places) - _administered(after, places):
            where = "all projects" if EVERYWHERE in lost else f"project {min(lost)}"
            raise LastAdmin(
                f"{email} is the last active admin of {where}, and nobody could make another one "
                "here. Nothing was changed. Make somebody else an admin first; where the state is, "
                f"`lampwork account {email}` does it all the same.",
                email=email,
            )

    return both


def _roles_of_active(connection: sa.Connection) -> list[dict[str, str]]:
    return [each.roles for each in of_all(connection) if each.account.active]


def _administered(active: Sequence[dict[str, str]], places: Iterable[str]) -> set[str]:
    """Those of these projects, and of all of them, that have an admin."""
    return {
        place
        for place in places
        if any(held.get(place, held.get(EVERYWHERE)) == "admin" for held in active)
    }


def end_sessions(connection: sa.Connection, account_id: str, keep: str | None = None) -> None:
    """End the sessions of an account but one to `keep`, by its digest."""
    ended = sa.delete(sessions).where(sessions.c.account_id == account_id)
    if keep is not None:
        ended = ended.where(sessions.c.digest != keep)
    connection.execute(ended)


def _update(connection: sa.Connection, account_id: str, **changed: object) -> None:
    connection.execute(sa.update(accounts).where(accounts.c.id == account_id).values(**changed))
