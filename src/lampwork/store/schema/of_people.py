"""People and programs that may come in, and the log of what was changed."""

from __future__ import annotations

import sqlalchemy as sa

from lampwork.store.schema.base import metadata

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),  # in lower case
    sa.Column("password", sa.Text, nullable=False),  # argon2id, with its salt and parameters
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

roles = sa.Table(
    "roles",
    metadata,
    sa.Column("account_id", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, primary_key=True),  # `*`: each in which it has no other
    sa.Column("role", sa.Text, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),  # of its token
    sa.Column("account_id", sa.Text),  # None: of whoever had the link, while nobody has an account
    sa.Column("address", sa.Text, nullable=False),  # from which it was begun
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),  # to within a minute
    sa.Index("sessions_by_account", "account_id"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("prefix", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),  # of the whole key
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float),
    sa.Column("used_at", sa.Float),  # to within a minute
    sa.Column("revoked_at", sa.Float),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),  # of the token; gone when it is used
    sa.Column("expires_at", sa.Float, nullable=False),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),  # of an account or an address, veiled
    sa.Column("until", sa.Float, nullable=False),  # when all that was taken will have flowed back
    sa.Index("attempts_by_time", "until"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("project", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("content", sa.Text),  # JSON: who, address, on, details, salt; None: it was erased
    sa.Column("content_digest", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),  # over the one before, see audit.py
    sa.Index("audit_by_project", "project", "seq"),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
