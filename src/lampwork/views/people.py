"""Who uses a project from outside, as it is shown: accounts, keys, and what they changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lampwork.types import Json, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person who may sign in, while the account is active."""

    email: str
    status: Literal["active", "disabled"]
    roles: Mapping[str, Role]
    """By project; `*` is each in which there is no other."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has an account, as the admins of a project see them."""

    email: str
    status: Literal["active", "disabled"]
    role: Role | None
    """In this project."""
    everywhere: Role | None
    """In each project without another."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key, without what is secret of it."""

    prefix: str
    name: str
    project: str
    role: Role
    status: Literal["active", "expired", "revoked"]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    """When it was last used, to within a minute."""
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeKey:
    """A key, shown this once."""

    key: str
    made: ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who calls, and what they may do."""

    name: str
    role: Role | None
    """In the project that is served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """That somebody has changed something; without who and on what, if that was erased."""

    number: int
    at: datetime
    action: str
    project: str | None
    who: str | None
    address: str | None
    on: str | None
    details: dict[str, Json]
