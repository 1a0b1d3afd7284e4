"""Jobs, their calls, what they wait for, and the places of recipes."""

from __future__ import annotations

import sqlalchemy as sa

from lampwork.store.schema.base import metadata, where
from lampwork.store.schema.document import Document

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("callable", sa.Text, nullable=False),  # a recipe's name, or module:function
    sa.Column("version", sa.Text, nullable=False),  # hash of the project's sources at the start
    sa.Column("input", sa.JSON, nullable=False),
    sa.Column("trigger", sa.JSON, nullable=False),
    sa.Column("want", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attention", sa.Text),  # why a person is needed
    sa.Column("parent_id", sa.Text),
    sa.Column("parent_call", sa.Integer),
    sa.Column("position", sa.Integer),  # of a map's item
    sa.Column("detached", sa.Boolean, nullable=False, default=False),
    sa.Column("root_id", sa.Text, nullable=False),
    sa.Column("copy_of", sa.Text),  # the job that this one is a copy of
    sa.Column("copied_as", sa.Text),  # retry, rerun, fork
    sa.Column("copied_at", sa.Integer),  # of a fork: the call from which on it is done anew
    sa.Column("task_id", sa.Text),  # the nearest task above, whose skill call led here
    sa.Column("outcome", sa.Text),  # the recorded envelope, see values.py
    sa.Column("traceback", sa.Text),
    sa.Column("kept_code", sa.Text),  # of a tree's root: the code that its jobs are kept on
    # What the keys of its effects begin with, if not with its id, see effect_base in types.py.
    sa.Column("keyed_as", sa.Text),
    sa.Column("restoration", sa.Integer),  # after which its effects may have been done before
    sa.Column("executor", sa.Text),
    sa.Column("run", sa.Integer, nullable=False, default=0),  # its last run, which leads it
    sa.Column("crashes", sa.Integer, nullable=False, default=0),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("request_digest", sa.Text),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("erased_at", sa.Float),  # since then it says no more than that it was, see erase.py
    sa.Index("jobs_by_status", "status", "project", "created_at", "id"),
    sa.Index("jobs_by_recipe", "project", "callable", "created_at", "id"),
    sa.Index("jobs_by_time", "project", "created_at", "id"),
    sa.Index("jobs_by_want", "want", "status"),
    sa.Index(
        "jobs_by_parent", "parent_id", "parent_call", "position", **where("parent_id is not null")
    ),
    sa.Index("jobs_by_root", "root_id"),
    sa.Index("jobs_by_key", "project", "idempotency_key", **where("idempotency_key is not null")),
    sa.Index("jobs_by_end", "ended_at", "id", **where("parent_id is null")),
    sa.Index("jobs_by_change", "changed_at"),
    sa.Index("jobs_by_copy", "copy_of", **where("copy_of is not null")),
    sa.Index("jobs_by_kept_code", "kept_code", **where("kept_code is not null")),
    sa.Index(
        "jobs_to_start",
        "project",
        "callable",
        "created_at",
        **where("{apart}status = 'queued' and {apart}want = 'run'"),
    ),
    sa.Index("jobs_restored", "restoration", **where("restoration is not null")),
)

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    # Of an at_most_once step how often it was begun; 0 for what was not written down before.
    sa.Column("attempts", sa.Integer, nullable=False, default=1),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("envelope", sa.Text),  # its outcome, once it is recorded, see values.py
    sa.Column("ended_at", sa.Float),
    sa.Column("kept_from", sa.Text),  # the job that made it, if this one, a copy, has kept it
)

waits = sa.Table(
    "waits",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("call", sa.Integer, nullable=False),
    sa.Column("task_id", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", Document, nullable=False),
    sa.Column("topic", sa.Text),
    sa.Column("due_at", sa.Float),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("answered", sa.Boolean, nullable=False, default=False),
    sa.Column("parked", sa.Boolean, nullable=False, default=False),  # a parked run stands here
    sa.Index("waits_by_job", "job_id"),
    sa.Index("waits_open", "kind", "job_id", **where("answered {false}")),
    sa.Index("waits_parked", "job_id", **where("parked {true} and answered {true}")),
    sa.Index("waits_by_topic", "topic", "answered", **where("topic is not null")),
    sa.Index("waits_by_due", "due_at", **where("due_at is not null and answered {false}")),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("wait_id", sa.Text, unique=True),  # of a message: the wait that took it
    sa.Column("topic", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),  # answer, message, expired
    sa.Column("value", sa.JSON, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("inbox_untaken", "topic", "id", **where("wait_id is null")),
    sqlite_autoincrement=True,
)

ends = sa.Table(
    "ends",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("callable", sa.Text, nullable=False),
    sa.Column("input", sa.JSON, nullable=False),
)

logs = sa.Table(
    "logs",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
)

limits = sa.Table(
    "limits",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # genie, recipe
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("most", sa.Integer, nullable=False),  # of its tasks, or its jobs, at a time
    sa.Column("ordered", sa.Boolean, nullable=False),  # one ends before the next begins
)

restorations = sa.Table(
    "restorations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("backup_at", sa.Float, nullable=False),  # what happened after it is not known here
    sa.Column("restored_at", sa.Float, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("closed_at", sa.Float),  # when a person said that it is known
)
