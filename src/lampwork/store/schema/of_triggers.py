"""Triggers, and what they have started."""

from __future__ import annotations

import sqlalchemy as sa

from lampwork.store.schema.base import metadata, where

triggers = sa.Table(
    "triggers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("recipe", sa.Text, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),  # of the trigger in its recipe
    sa.Column("kind", sa.Text, nullable=False),  # cron, poll
    sa.Column("definition", sa.JSON, nullable=False),
    sa.Column("defined", sa.Boolean, nullable=False),  # by the code that executed last
    # Of a cron: until when its times are settled, in epoch seconds. Of a poll: its function's own.
    sa.Column("cursor", sa.JSON(none_as_null=True)),
    sa.Column("polled_at", sa.Float),
    sa.Column("fired_at", sa.Float),  # when it last started a job
    sa.Column("job_id", sa.Text),  # the last job it started
    sa.Column("paused", sa.JSON(none_as_null=True)),  # {by, at, why}, while it is
    sa.Column("started", sa.JSON(none_as_null=True)),  # {by, at, why}, after a pause
    sa.Column("asked", sa.JSON(none_as_null=True)),  # {by, at}: to fire now
    sa.Column("error", sa.JSON(none_as_null=True)),  # {message, at}: why the last poll failed
    sa.Column("created_at", sa.Float, nullable=False),
    sa.UniqueConstraint("project", "recipe", "identity"),
)

polled = sa.Table(
    "polled",
    metadata,
    sa.Column("trigger_id", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("job_id", sa.Text),  # that the item started
    sa.Column("rejected", sa.Text),  # why it has started none
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("polled_rejected", "trigger_id", "at", **where("rejected is not null")),
    sqlite_with_rowid=False,
)

firings = sa.Table(
    "firings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("trigger_id", sa.Integer, nullable=False),
    sa.Column("delivery", sa.Text),  # its id; of a call its idempotency key
    sa.Column("address", sa.Text),  # from which it came
    sa.Column("job_id", sa.Text),  # that it started
    sa.Column("rejected", sa.Text),  # why it has started none
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("firings_by_trigger", "trigger_id", "id"),
    sa.Index("firings_by_delivery", "trigger_id", "delivery", **where("job_id is not null")),
    sa.Index("firings_by_job", "job_id", **where("job_id is not null")),
    sa.Index("firings_by_age", "at"),
    sqlite_autoincrement=True,
)
