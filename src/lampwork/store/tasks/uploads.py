"""Files that were uploaded to a project, for work there to be given them by their digest.

An upload keeps its content in the project's name, for a day from when it was sent last; a job that
is given it keeps the content besides.
"""

from __future__ import annotations

import sqlalchemy as sa

from lampwork.store import blobs
from lampwork.store.schema import blob_owners
from lampwork.store.schema import blobs as contents

KEPT = 86400.0
"""Seconds."""

_OF = "upload:"
_are_uploads = (blob_owners.c.owner >= _OF) & (blob_owners.c.owner < "upload;")


def put(connection: sa.Connection, project: str, digest: str, content: bytes) -> None:
    """Keep a file that was uploaded."""
    blobs.put(connection, digest, content)
    blobs.own(connection, _OF + project, [digest])


def has(connection: sa.Connection, project: str, digest: str) -> bool:
    """Whether a file was uploaded to the project lately."""
    kept = sa.select(blob_owners.c.digest).where(
        blob_owners.c.digest == digest, blob_owners.c.owner == _OF + project
    )
    return connection.execute(kept).first() is not None


def expire(connection: sa.Connection, now: float) -> None:
    """What nobody has sent for a day is no upload any more."""
    old = sa.select(contents.c.digest).where(contents.c.put_at < now - KEPT)
    connection.execute(sa.delete(blob_owners).where(_are_uploads, blob_owners.c.digest.in_(old)))


def forget(connection: sa.Connection, digest: str) -> None:
    """An upload goes with what was given it."""
    connection.execute(sa.delete(blob_owners).where(_are_uploads, blob_owners.c.digest == digest))
