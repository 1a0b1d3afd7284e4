"""Large values and files, stored once under the digest of their content, and collected.

A blob is kept for as long as it has an owner: a job, an artifact of a task, or the project that
it was uploaded to. Who stores content
and names its owner in one transaction has nothing to fear. Who names it later, as files from
outside are stored before their job exists, has `GRACE` for it: storing content anew makes it young
again, and `own` refuses a blob that has gone. The database puts all of it in an order, whichever
process does it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.errors import StoreUnavailable
from lampwork.store.schema import blob_owners, blobs, readings
from lampwork.types import LARGEST_IN_ROW

GRACE = 3600.0
"""Seconds that a blob without an owner is kept: between its content and its owner lies no more
than the reading of ten files."""

_COLLECTED_AT_ONCE = 100
"""Blobs that one transaction deletes, so that the writer soon serves others."""


def digest_of(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def put(connection: sa.Connection, digest: str, content: bytes) -> None:
    """Store content under its digest, or make it young again where it is."""
    if not refresh(connection, digest):
        # Values of a statement of its own would stay in the cache of statements.
        new = {"digest": digest, "content": content, "put_at": clock.now()}
        connection.execute(_insert_blob, new)


def refresh(connection: sa.Connection, digest: str) -> bool:
    """Give a blob its grace anew; whether it is there."""
    row = connection.execute(_age_of, {"of": digest}).first()
    if row is not None and row.put_at < clock.now() - GRACE / 2:
        # SQLite reads the whole row to change it, so not each time.
        connection.execute(
            sa.update(blobs).where(blobs.c.digest == digest).values(put_at=clock.now())
        )
    return row is not None


def own(connection: sa.Connection, owner: str, digests: Iterable[str]) -> None:
    """Keep blobs for as long as the owner is there.

    Raises StoreUnavailable if one of them has been collected: then it must be stored again.
    """
    for digest in digests:
        if connection.execute(_age_of, {"of": digest}).first() is None:
            raise StoreUnavailable(
                f"The content {digest[:12]}… is no longer stored, because nobody claimed it "
                f"within {GRACE:.0f} s. Try again."
            )
        connection.execute(_insert_owner, {"digest": digest, "owner": owner})


def own_as(connection: sa.Connection, owner: str, others: Sequence[str]) -> None:
    """Keep what others keep, for as long as this owner is there too."""
    connection.execute(
        insert(blob_owners)
        .from_select(
            ["digest", "owner"],
            sa.select(blob_owners.c.digest, sa.literal(owner))
            .where(blob_owners.c.owner.in_(others))
            .distinct(),
        )
        .on_conflict_do_nothing()
    )


def disown(connection: sa.Connection, owner: str, digest: str) -> None:
    """Keep a blob no longer for this owner."""
    connection.execute(
        sa.delete(blob_owners).where(blob_owners.c.digest == digest, blob_owners.c.owner == owner)
    )


def get(connection: sa.Connection, digest: str) -> bytes:
    """The content under a digest."""
    return connection.execute(
        sa.select(blobs.c.content).where(blobs.c.digest == digest)
    ).scalar_one()


def get_all(connection: sa.Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """The contents under these digests."""
    return {digest: get(connection, digest) for digest in digests}


def collect(connection: sa.Connection, now: float) -> int:
    """Delete blobs that nobody owns and whose grace is over, some at a time; how many it were."""
    gone = list(
        connection.execute(
            sa.select(blobs.c.digest)
            .where(
                blobs.c.put_at < now - GRACE,
                ~sa.exists().where(blob_owners.c.digest == blobs.c.digest),
            )
            .limit(_COLLECTED_AT_ONCE)
        ).scalars()
    )
    _delete(connection, gone)
    return len(gone)


def delete_unowned(connection: sa.Connection, digests: Sequence[str]) -> None:
    """Delete those of these blobs that nobody owns, at once.

    Who was about to own one is refused by `own`, and stores it again.
    """
    owned = sa.exists().where(blob_owners.c.digest == blobs.c.digest)
    query = sa.select(blobs.c.digest).where(blobs.c.digest.in_(digests), ~owned)
    _delete(connection, connection.execute(query).scalars().all())


def _delete(connection: sa.Connection, digests: Sequence[str]) -> None:
    connection.execute(sa.delete(blobs).where(blobs.c.digest.in_(digests)))
    forgotten = readings.c.text.in_(digests) | readings.c.digest.in_(digests)
    connection.execute(sa.delete(readings).where(forgotten))


_age_of = sa.select(blobs.c.put_at).where(blobs.c.digest == sa.bindparam("of"))
_insert_blob = sa.insert(blobs)
_insert_owner = insert(blob_owners).on_conflict_do_nothing()


# --- long texts, which stand in rows by their address ---

_BLOB = "blob:"


def fold(connection: sa.Connection, text: str, owner: str) -> str:
    """A text as rows hold it: a short one as it is; a long one is stored, and has an address."""
    if len(text) <= LARGEST_IN_ROW:
        return text
    content = text.encode()
    digest = digest_of(content)
    put(connection, digest, content)
    own(connection, owner, [digest])
    return _BLOB + digest


def unfold(connection: sa.Connection, folded: str) -> str:
    """The text that was folded; a text that was not, as it is."""
    return get(connection, digest_at(folded)).decode() if is_folded(folded) else folded


def digest_at(folded: str) -> str:
    """The digest of the text that an address stands for."""
    return folded.removeprefix(_BLOB)


def is_folded(text: str) -> bool:
    """Whether a text is the address of another one."""
    return text.startswith(_BLOB)
