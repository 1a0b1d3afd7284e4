"""The one-time link that a server prints where nobody has an account yet."""

from __future__ import annotations

from lampwork.people import accounts, tokens
from lampwork.store.people import sessions as rows
from lampwork.store.store import Store

__all__ = ["LASTS", "offer"]

LASTS = 15 * 60.0
"""Seconds for which a link may be used, once."""


async def offer(store: Store) -> str | None:
    """The token of a link, the only one that is good from now on; None if there are accounts.

    Whoever uses it (`sessions.by_link`) is an admin of everything until somebody has an account.
    """
    if await accounts.are_there(store):
        return None
    token = tokens.letters()
    await store.write(rows.offer_link, tokens.digest(token), LASTS)
    return token
