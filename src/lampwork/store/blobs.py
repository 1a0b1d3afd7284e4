"""Large values, stored once under the digest of their content."""

from __future__ import annotations

import hashlib
import time

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from lampwork.store.schema import blobs


def put(connection: sa.Connection, content: bytes) -> str:
    """Store content; returns its SHA-256 in hex."""
    digest = hashlib.sha256(content).hexdigest()
    connection.execute(
        insert(blobs)
        .values(digest=digest, content=content, created_at=time.time())
        .on_conflict_do_nothing()
    )
    return digest


_BLOB = "blob:"


def fold(connection: sa.Connection, text: str) -> str:
    """Store a long text; its address, which stands for it in rows."""
    return _BLOB + put(connection, text.encode())


def unfold(connection: sa.Connection, folded: str) -> str:
    """The text that was folded; a text that was not, as it is."""
    return get(connection, folded.removeprefix(_BLOB)).decode() if is_folded(folded) else folded


def is_folded(text: str) -> bool:
    """Whether a text is the address of another one."""
    return text.startswith(_BLOB)


def get(connection: sa.Connection, digest: str) -> bytes:
    """The content under a digest."""
    return connection.execute(
        sa.select(blobs.c.content).where(blobs.c.digest == digest)
    ).scalar_one()
