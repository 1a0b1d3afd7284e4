"""What the requests of tasks held besides their conversations, once by its digest."""

from __future__ import annotations

import json
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from lampwork.store.schema import briefings
from lampwork.types import Json

_keep = insert(briefings).on_conflict_do_nothing()


def keep(connection: sa.Connection, digest: str, content: str) -> None:
    """Keep a briefing, unless it is kept already."""
    connection.execute(_keep, {"digest": digest, "content": content})


def some(connection: sa.Connection, digests: Collection[str]) -> dict[str, dict[str, Json]]:
    """Those of these digests, by digest."""
    found = connection.execute(
        sa.select(briefings.c.digest, briefings.c.content).where(briefings.c.digest.in_(digests))
    )
    return {digest: json.loads(content) for digest, content in found}
