"""What stands above a job and a task; budgets and deadlines."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

LARGE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("task_id", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("parent_id", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("depth", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("tasks", sa.Column("sealed", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("entries", sa.Column("epoch", sa.Integer(), nullable=True))
    op.add_column("tasks", sa.Column("output_type", sa.JSON(), nullable=True))
    op.create_index(
        "tasks_by_parent",
        "tasks",
        ["parent_id"],
        sqlite_where=sa.text("parent_id is not null"),
        postgresql_where=sa.text("parent_id is not null"),
    )
    op.add_column("calls", sa.Column("envelope", sa.Text(), nullable=True))
    op.add_column("calls", sa.Column("ended_at", sa.Float(), nullable=True))
    _copies_of_jobs()
    _paused_genies()
    _files()
    _triggers()
    _budgets()


def _copies_of_jobs() -> None:
    op.add_column("jobs", sa.Column("copy_of", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("copied_as", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("copied_at", sa.Integer(), nullable=True))
    op.create_index(
        "jobs_by_copy",
        "jobs",
        ["copy_of"],
        sqlite_where=sa.text("copy_of is not null"),
        postgresql_where=sa.text("copy_of is not null"),
    )
    op.add_column("calls", sa.Column("kept_from", sa.Text(), nullable=True))
    op.add_column("conversations", sa.Column("copied_from", sa.Text(), nullable=True))
    op.add_column("conversations", sa.Column("copied_for", sa.Text(), nullable=True))
    op.create_index(
        "conversations_by_copy",
        "conversations",
        ["copied_for"],
        sqlite_where=sa.text("copied_for is not null"),
        postgresql_where=sa.text("copied_for is not null"),
    )


def _paused_genies() -> None:
    op.create_table(
        "pauses",
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("genie", sa.Text(), primary_key=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
    )
    op.create_index(
        "waits_paused",
        "waits",
        ["kind"],
        sqlite_where=sa.text("kind = 'paused' and not answered"),
        postgresql_where=sa.text("kind = 'paused' and not answered"),
    )


def _files() -> None:
    """Files of tasks, artifacts, and who keeps a blob."""
    op.add_column("tasks", sa.Column("files", sa.JSON(), nullable=True))
    op.create_table(
        "artifacts",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "call", "name"),
    )
    op.create_index("artifacts_by_digest", "artifacts", ["digest"])
    op.create_table(
        "readings",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "reader"),
    )
    op.create_index("readings_by_text", "readings", ["text"])
    op.create_table(
        "blob_owners",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "owner"),
    )
    op.create_index("blob_owners_by_owner", "blob_owners", ["owner"])
    op.execute("ALTER TABLE blobs RENAME COLUMN created_at TO put_at")
    op.create_index("blobs_by_age", "blobs", ["digest", "put_at"])
    # Nobody has written down whose the blobs of before are, so they are kept.
    op.execute("INSERT INTO blob_owners (digest, owner) SELECT digest, 'before 0002' FROM blobs")


def _triggers() -> None:
    op.create_table(
        "triggers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("defined", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.JSON(), nullable=True),
        sa.Column("polled_at", sa.Float(), nullable=True),
        sa.Column("fired_at", sa.Float(), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("paused", sa.JSON(), nullable=True),
        sa.Column("started", sa.JSON(), nullable=True),
        sa.Column("asked", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project", "recipe", "identity"),
    )
    op.create_table(
        "polled",
        sa.Column("trigger_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("rejected", sa.Text(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("trigger_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "polled_rejected",
        "polled",
        ["trigger_id", "at"],
        unique=False,
        sqlite_where=sa.text("rejected is not null"),
        postgresql_where=sa.text("rejected is not null"),
    )


def _budgets() -> None:
    op.add_column("tasks", sa.Column("metered", sa.Boolean(), nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("budget_id", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("deadline", sa.Float(), nullable=True))
    op.add_column("tasks", sa.Column("deadline_budget", sa.Text(), nullable=True))
    op.create_table(
        "budgets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("limit_tokens", LARGE, nullable=True),
        sa.Column("limit_nanodollars", LARGE, nullable=True),
        sa.Column("limit_model_calls", LARGE, nullable=True),
        sa.Column("limit_skill_calls", LARGE, nullable=True),
        sa.Column("limit_depth", sa.Integer(), nullable=True),
        sa.Column("spent_tokens", LARGE, nullable=False),
        sa.Column("spent_nanodollars", LARGE, nullable=False),
        sa.Column("spent_model_calls", LARGE, nullable=False),
        sa.Column("spent_skill_calls", LARGE, nullable=False),
        sa.Column("reserved_tokens", LARGE, nullable=False),
        sa.Column("reserved_nanodollars", LARGE, nullable=False),
        sa.Column("reserved_model_calls", LARGE, nullable=False),
        sa.Column("estimated_tokens", LARGE, nullable=False),
        sa.Column("estimated_nanodollars", LARGE, nullable=False),
        sa.Column("estimated_model_calls", LARGE, nullable=False),
        sa.Column("begun_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "reservations",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("input_tokens", LARGE, nullable=False),
        sa.Column("output_tokens", LARGE, nullable=False),
        sa.Column("nanodollars", LARGE, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task_id"),
    )
