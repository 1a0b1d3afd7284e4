"""What is kept by its digest: large values, what was read from files, what tasks saved."""

from __future__ import annotations

import sqlalchemy as sa

from lampwork.store.schema.base import metadata

blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),  # sha256, hex
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("put_at", sa.Float, nullable=False),
    # In the row it lies behind the content, which would be read through to get there.
    sa.Index("blobs_by_age", "digest", "put_at"),
)

blob_owners = sa.Table(
    "blob_owners",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    # A job's id; an artifact's task, call and name; `upload:` and the project that has it.
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Index("blob_owners_by_owner", "owner"),
)

readings = sa.Table(
    "readings",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),  # of a file's content
    sa.Column("reader", sa.Text, primary_key=True),  # its version and its caps
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("text", sa.Text),  # the digest of what was read, none of an image
    sa.Column("notes", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("readings_by_text", "text"),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("task_id", sa.Text, primary_key=True),
    sa.Column("call", sa.Text, primary_key=True),  # of the skill, as in its intent
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("artifacts_by_digest", "digest"),
)
