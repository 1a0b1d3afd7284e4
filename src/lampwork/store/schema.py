"""The tables of `lampwork.db`. A job's finished steps are in the engine's own file, not here."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()

LARGE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Counts that a user may set as high as they like, and money: 5 dollars are 5e9 nanodollars."""


def _where(condition: str) -> dict[str, Any]:
    """Of an index: the rows that are in it."""
    return {f"{dialect}_where": sa.text(condition) for dialect in ("sqlite", "postgresql")}


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
    sa.Column("crashes", sa.Integer, nullable=False, default=0),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("request_digest", sa.Text),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("erased_at", sa.Float),  # since then it says no more than that it was, see erase.py
    sa.Index("jobs_by_status", "status", "created_at"),
    sa.Index("jobs_by_want", "want", "status"),
    sa.Index("jobs_by_parent", "parent_id", "parent_call", "position"),
    sa.Index("jobs_by_root", "root_id"),
    sa.Index("jobs_by_key", "project", "idempotency_key"),
    sa.Index("jobs_by_end", "ended_at", "id", **_where("parent_id is null")),
    sa.Index("jobs_by_copy", "copy_of", **_where("copy_of is not null")),
    sa.Index("jobs_by_kept_code", "kept_code", **_where("kept_code is not null")),
    sa.Index(
        "jobs_to_start",
        "project",
        "callable",
        "created_at",
        **_where("status = 'queued' and want = 'run'"),
    ),
    sa.Index("jobs_restored", "restoration", **_where("restoration is not null")),
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

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    # Of an at_most_once step how often it was begun; 0 for any other step, which a copy has kept.
    sa.Column("attempts", sa.Integer, nullable=False, default=1),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("envelope", sa.Text),  # its outcome, if it is recorded here, see values.py
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
    sa.Column("subject", sa.JSON, nullable=False),
    sa.Column("topic", sa.Text),
    sa.Column("due_at", sa.Float),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("answered", sa.Boolean, nullable=False, default=False),
    sa.Column("parked", sa.Boolean, nullable=False, default=False),  # a parked run stands here
    sa.Index("waits_by_job", "job_id"),
    sa.Index("waits_paused", "kind", **_where("kind = 'paused' and not answered")),
    sa.Index("waits_parked", "job_id", **_where("parked and answered")),
    sa.Index("waits_by_topic", "topic", "answered", **_where("topic is not null")),
    sa.Index("waits_by_due", "due_at", **_where("due_at is not null and not answered")),
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
    sa.Index("inbox_untaken", "topic", "id", **_where("wait_id is null")),
    sqlite_autoincrement=True,
)

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
    sa.Column("metadata", sa.JSON, nullable=False),
    sa.Column("sealed", sa.JSON, nullable=False, server_default="[]"),  # paths in the metadata
    sa.Column("output_schema", sa.JSON),
    sa.Column("output_type", sa.JSON(none_as_null=True)),  # see written_type.py
    sa.Column("files", sa.JSON(none_as_null=True)),  # see files/snapshot.py
    sa.Column("metered", sa.Boolean, nullable=False, server_default="0"),  # model calls use tokens
    sa.Column("budget_id", sa.Text),  # the nearest one that counts: its own or one above
    sa.Column("deadline", sa.Float),  # the earliest of its own and all above
    sa.Column("deadline_budget", sa.Text),  # whose `seconds` that is, if no deadline= was it
    sa.Column("usage", sa.JSON),
    sa.Column("outcome", sa.JSON),  # {"answered": its entry} or {"error": its record}
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Index("tasks_by_conversation", "conversation_id"),
    sa.Index("tasks_by_job", "job_id"),
    sa.Index("tasks_by_end", "ended_at"),
    sa.Index("tasks_by_parent", "parent_id", **_where("parent_id is not null")),
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
    sa.Index("conversations_by_copy", "copied_for", **_where("copied_for is not null")),
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
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
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

limits = sa.Table(
    "limits",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # genie, recipe
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("most", sa.Integer, nullable=False),  # of its tasks, or its jobs, at a time
    sa.Column("ordered", sa.Boolean, nullable=False),  # one ends before the next begins
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
    sa.Index("polled_rejected", "trigger_id", "at", **_where("rejected is not null")),
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
    sa.Index("firings_by_delivery", "trigger_id", "delivery", **_where("job_id is not null")),
    sa.Index("firings_by_job", "job_id", **_where("job_id is not null")),
    sa.Index("firings_by_age", "at"),
    sqlite_autoincrement=True,
)

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
    sa.Column("owner", sa.Text, primary_key=True),  # a job's id, or an artifact's task, call, name
    sa.Index("blob_owners_by_owner", "owner"),
)

briefings = sa.Table(
    "briefings",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),  # JSON: job description, skills, endings
    sa.Column("used_at", sa.Float, nullable=False, server_default="0"),  # to within a day
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
