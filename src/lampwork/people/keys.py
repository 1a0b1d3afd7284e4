"""API keys: what a program shows, `lw_<prefix>_<secret>`; of one project, with one role."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from lampwork import clock
from lampwork.acting import actor
from lampwork.errors import InputInvalid, SignInNeeded
from lampwork.people import tokens
from lampwork.people.accounts import check_role
from lampwork.people.caller import Caller
from lampwork.store.people import api_keys as rows
from lampwork.store.people.api_keys import NewKey
from lampwork.store.people.audit import Act, recorded
from lampwork.store.people.sessions import SEEN
from lampwork.store.store import Store
from lampwork.types import Role
from lampwork.views import ApiKey, moment, moment_or_none

__all__ = ["get", "list_all", "make", "of_text", "revoke"]

_KEY = re.compile(r"lw_([0-9A-Za-z]{10})_[0-9A-Za-z]{43}")
_NAME = re.compile(r"[\w.@ -]{1,80}")


def _shown(row: Any) -> ApiKey:
    """The key of a row."""
    expired = row.expires_at is not None and row.expires_at <= clock.now()
    return ApiKey(
        prefix=row.prefix,
        name=row.name,
        project=row.project,
        role=cast(Role, row.role),
        status="revoked" if row.revoked_at is not None else "expired" if expired else "active",
        created_by=row.created_by,
        created_at=moment(row.created_at),
        expires_at=moment_or_none(row.expires_at),
        used_at=moment_or_none(row.used_at),
        revoked_at=moment_or_none(row.revoked_at),
    )


async def make(
    store: Store, name: str, *, project: str, role: Role, lasts: float | None = None
) -> tuple[str, ApiKey]:
    """A new key, which is shown here and never again; it expires after so many seconds.

    Raises InputInvalid.
    """
    role = check_role(role)
    if not _NAME.fullmatch(name):
        raise InputInvalid(
            f'"{name[:80]}" names no key. Take up to 80 letters, digits, spaces and . _ - @',
            problems=["name"],
        )
    prefix = tokens.letters(10)
    text = f"lw_{prefix}_{tokens.letters()}"
    by = actor()
    new = NewKey(
        prefix=prefix,
        digest=tokens.digest(text),
        name=name,
        project=project,
        role=role,
        created_by="code" if by is None else by.name,
        expires_at=None if lasts is None else clock.now() + lasts,
    )
    details = {"name": name, "role": role}
    await store.write(recorded(Act("key.make", prefix, project, details), rows.add), new)
    return text, await get(store, prefix)


async def get(store: Store, which: str, *, project: str | None = None) -> ApiKey:
    """A key by its prefix, or by its name if no other has it; of a project, if it is named.

    Raises KeyNotFound.
    """
    return _shown(await store.read(rows.meant, which, project))


async def list_all(store: Store, *, project: str | None = None) -> Sequence[ApiKey]:
    """The keys, of a project if it is named, the newest first."""
    return [_shown(row) for row in await store.read(rows.of_all, project)]


async def revoke(store: Store, which: str, *, project: str | None = None) -> ApiKey:
    """Let a key be used no more, named as `get` has it. Raises KeyNotFound."""
    key = await get(store, which, project=project)
    act = Act("key.revoke", key.prefix, key.project, {"name": key.name})
    await store.write(recorded(act, rows.revoke), key.prefix)
    return await get(store, key.prefix)


async def of_text(store: Store, text: str) -> Caller:
    """Who calls with this key. Raises SignInNeeded."""
    written = _KEY.fullmatch(text)
    row = None if written is None else await store.read(rows.find, written[1])
    if row is None or not tokens.same(row.digest, tokens.digest(text)):
        raise SignInNeeded("This API key is not valid: it was mistyped, has expired or is revoked.")
    if row.used_at is None or clock.now() - row.used_at > SEEN:
        store.submit(rows.used, row.prefix)
    return Caller(f"key {row.name} ({row.prefix})", {row.project: cast(Role, row.role)})
