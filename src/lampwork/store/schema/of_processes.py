"""The processes that execute, and what one of them does at a time."""

from __future__ import annotations

import sqlalchemy as sa

from lampwork.store.schema.base import metadata

executors = sa.Table(
    "executors",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("closed_at", sa.Float),
    sa.Column("limited", sa.Boolean, nullable=False, server_default="0"),  # to some trees
    sa.Column("counters", sa.JSON(none_as_null=True)),  # since its start, see counters.py
    sa.Column("counted_at", sa.Float),
    sa.Column("host", sa.Text, nullable=False, server_default=""),
    sa.Column("version", sa.Text, nullable=False, server_default=""),  # of the project's code
    sa.Column("interval", sa.Float, nullable=False, server_default="0"),  # between heartbeats, in s
    sa.Column("beats", sa.Integer, nullable=False, server_default="0"),
    sa.Column("beat_at", sa.Float, nullable=False, server_default="0"),  # when the last one was
    # When the server was started at which it has a session, see processes/session.py; kept by one
    # that was found gone.
    sa.Column("session", sa.Text),
)

writers = sa.Table(
    "writers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("batch", sa.Integer, nullable=False),  # the last one committed
    sa.Column("at", sa.Float, nullable=False, server_default="0"),  # when that was
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),  # of what one process at a time does
    sa.Column("executor", sa.Text),  # who does it now
    sa.Column("at", sa.Float, nullable=False),  # when it was last taken, renewed or given back
)

pruned = sa.Table(
    "pruned",
    metadata,
    # A job, task or conversation that is gone or erased, and whose other rows are still to go;
    # `b` and the digest of a blob that is to go unless it has another owner.
    sa.Column("id", sa.Text, primary_key=True),
)
