"""Tasks, their conversations, and what they need to go on."""

from __future__ import annotations

import sqlalchemy as sa

from lampwork.store.schema.base import LARGE, metadata, where
from lampwork.store.schema.document import Document

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("call", sa.Integer, nullable=False),
    sa.Column("parent_id", sa.Text),  # the nearest task above
    sa.Column("depth", sa.Integer, nullable=False, server_default="1"),
    sa.Column("genie", sa.Text, nullable=False),
    sa.Column("conversation_id", sa.Text, nullable=False),
    sa.Column("history_until", sa.Integer, nullable=False),  # the last entry from before this task
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("instructions", sa.Text, nullable=False),
    sa.Column("on_problem", sa.Text),
    sa.Column("data", sa.JSON(none_as_null=False), nullable=False),
    sa.Column("metadata", Document, nullable=False),
    sa.Column("sealed", sa.JSON, nullable=False, server_default="[]"),  # paths in the metadata
    sa.Column("output_schema", sa.JSON),
    sa.Column("output_type", sa.JSON(none_as_null=True)),  # see written_type.py
    sa.Column("files", sa.JSON(none_as_null=True)),  # see files/snapshot.py
    sa.Column("metered", sa.Boolean, nullable=False, server_default="0"),  # model calls use tokens
    sa.Column("budget_id", sa.Text),  # the nearest one that counts: its own or one above
    sa.Column("deadline", sa.Float),  # the earliest of its own and all above
    sa.Column("deadline_budget", sa.Text),  # whose `seconds` that is, if no deadline= was it
    sa.Column("usage", sa.JSON),
    sa.Column("model", sa.Text),  # of a task that has ended: the one that all of that is of
    sa.Column("outcome", Document),  # {"answered": its entry} or {"error": its record}
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Index("tasks_by_conversation", "conversation_id"),
    sa.Index("tasks_by_job", "job_id"),
    sa.Index("tasks_by_genie", "genie", "job_id", "conversation_id"),
    sa.Index("tasks_open", "status", "id", **where("ended_at is null")),
    sa.Index("tasks_by_end", "ended_at", **where("ended_at is not null")),
    sa.Index("tasks_by_parent", "parent_id", **where("parent_id is not null")),
)

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # task, chat
    sa.Column("user", sa.Text),  # of a chat: whose it is, and nobody else's
    sa.Column("holder", sa.Text),  # the task that may write
    sa.Column("epoch", sa.Integer, nullable=False),  # of the holder
    sa.Column("last_seq", sa.Integer, nullable=False),
    sa.Column("copied_from", sa.Text),  # the conversation whose beginning it has
    sa.Column("copied_for", sa.Text),  # the copy of a job, its tree's root, that goes on with it
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index("conversations_by_time", "project", "created_at", "id"),
    sa.Index("conversations_by_copy", "copied_for", **where("copied_for is not null")),
)

line = sa.Table(
    "line",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("conversation_id", sa.Text, nullable=False),
    sa.Column("task_id", sa.Text, nullable=False, unique=True),
    sa.Column("wait_id", sa.Text, nullable=False),
    sa.Index("line_by_conversation", "conversation_id", "id"),
    sqlite_autoincrement=True,
)

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("conversation_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("task_id", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer),  # of the task when it was written
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", Document, nullable=False),  # on Postgres in its row, if it fits in a page
    sa.Column("at", sa.Float, nullable=False),
)

briefings = sa.Table(
    "briefings",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),  # JSON: job description, skills, endings
    sa.Column("used_at", sa.Float, nullable=False, server_default="0"),  # to within a day
)

places = sa.Table(
    "places",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),  # in the order of arrival
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False, unique=True),  # a task, or a job
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False),
    sa.Column("wait_id", sa.Text),  # of a task that stands in line for it
    sa.Index("places_in_line", "project", "kind", "name", "held", "id"),
    sa.Index("places_by_job", "job_id"),
    sqlite_autoincrement=True,
)

pauses = sa.Table(
    "pauses",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("genie", sa.Text, primary_key=True),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

rates = sa.Table(
    "rates",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),  # of a provider, a model or a host
    # When what was taken from each bucket will have flowed back, in epoch seconds.
    sa.Column("requests_at", sa.Float, nullable=False),
    sa.Column("tokens_at", sa.Float, nullable=False),
    sa.Column("closed_until", sa.Float, nullable=False),  # by what the provider has said
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # of the task that was given it
    sa.Column("parent_id", sa.Text),  # the nearest budget above, which counts as well
    sa.Column("limits", sa.JSON, nullable=False),  # as they were given
    sa.Column("limit_tokens", LARGE),
    sa.Column("limit_nanodollars", LARGE),
    sa.Column("limit_model_calls", LARGE),
    sa.Column("limit_skill_calls", LARGE),
    sa.Column("limit_depth", sa.Integer),
    sa.Column("spent_tokens", LARGE, nullable=False, default=0),
    sa.Column("spent_nanodollars", LARGE, nullable=False, default=0),
    sa.Column("spent_model_calls", LARGE, nullable=False, default=0),
    sa.Column("spent_skill_calls", LARGE, nullable=False, default=0),
    sa.Column("reserved_tokens", LARGE, nullable=False, default=0),
    sa.Column("reserved_nanodollars", LARGE, nullable=False, default=0),
    sa.Column("reserved_model_calls", LARGE, nullable=False, default=0),
    sa.Column("estimated_tokens", LARGE, nullable=False, default=0),  # of what is spent
    sa.Column("estimated_nanodollars", LARGE, nullable=False, default=0),
    sa.Column("estimated_model_calls", LARGE, nullable=False, default=0),
    sa.Column("begun_at", sa.Float, nullable=False),
)

reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("task_id", sa.Text, primary_key=True),  # whose model call has begun
    sa.Column("input_tokens", LARGE, nullable=False),  # at the most
    sa.Column("output_tokens", LARGE, nullable=False),
    sa.Column("nanodollars", LARGE),  # None: the price is not known
    sa.Column("tries", sa.Integer, nullable=False),  # each of them may use that much
)
