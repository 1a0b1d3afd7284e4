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


def get(connection: sa.Connection, digest: str) -> bytes:
    """The content under a digest."""
    return connection.execute(
        sa.select(blobs.c.content).where(blobs.c.digest == digest)
    ).scalar_one()
