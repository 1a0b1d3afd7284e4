"""What was read from files, by the digest of their content, so that it is read once."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.store import blobs
from lampwork.store.schema import readings
from lampwork.types import Json


def put(
    connection: sa.Connection, digest: str, content: bytes, reader: str, owner: str | None
) -> sa.Row[Json] | None:
    """Store a file's content; what this reader has made of it before, if it has.

    That is a row with `kind`, `text` (the digest of a blob, None of an image) and `notes`. Without
    an owner both must be named within their grace, see blobs.py.
    """
    _keep(connection, digest, content, owner)
    found = connection.execute(
        sa.select(readings).where(readings.c.digest == digest, readings.c.reader == reader)
    ).first()
    if found is not None and found.text is not None:
        blobs.refresh(connection, found.text)
        if owner is not None:
            blobs.own(connection, owner, [found.text])
    return found


def _keep(connection: sa.Connection, digest: str, content: bytes, owner: str | None) -> None:
    blobs.put(connection, digest, content)
    if owner is not None:
        blobs.own(connection, owner, [digest])


def keep_reading(
    connection: sa.Connection,
    digest: str,
    reader: str,
    owner: str | None,
    *,
    kind: str,
    text: bytes | None,
    notes: list[str],
) -> str | None:
    """Keep what a reader made of a content; the digest of its text."""
    text_digest = None if text is None else blobs.digest_of(text)
    if text is not None and text_digest is not None:
        _keep(connection, text_digest, text, owner)
    connection.execute(
        insert(readings)
        .values(
            digest=digest,
            reader=reader,
            kind=kind,
            text=text_digest,
            notes=notes,
            at=clock.now(),
        )
        .on_conflict_do_nothing()
    )
    return text_digest
