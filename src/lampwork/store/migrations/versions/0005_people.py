"""Who may use a project and what they change, what comes to its triggers, which run leads a job."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _people()
    _audit()
    _firings()
    op.create_index("jobs_by_change", "jobs", ["changed_at"])
    _leading_runs()


def _people() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text(), nullable=False, primary_key=True),
        sa.Column("email", sa.Text(), nullable=False, unique=True),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "roles",
        sa.Column("account_id", sa.Text(), nullable=False, primary_key=True),
        sa.Column("project", sa.Text(), nullable=False, primary_key=True),
        sa.Column("role", sa.Text(), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text(), nullable=False, primary_key=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
    )
    op.create_index("sessions_by_account", "sessions", ["account_id"])
    op.create_table(
        "api_keys",
        sa.Column("prefix", sa.Text(), nullable=False, primary_key=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("used_at", sa.Float(), nullable=True),
        sa.Column("revoked_at", sa.Float(), nullable=True),
    )
    op.create_table(
        "links",
        sa.Column("digest", sa.Text(), nullable=False, primary_key=True),
        sa.Column("expires_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("name", sa.Text(), nullable=False, primary_key=True),
        sa.Column("until", sa.Float(), nullable=False),
    )
    op.create_index("attempts_by_time", "attempts", ["until"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), nullable=False, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
    )
    op.create_index("audit_by_project", "audit", ["project", "seq"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
    )


def _firings() -> None:
    op.create_table(
        "firings",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("trigger_id", sa.Integer(), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("rejected", sa.Text(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("firings_by_trigger", "firings", ["trigger_id", "id"])
    op.create_index("firings_by_age", "firings", ["at"])
    has_job = sa.text("job_id is not null")
    for name, columns in (
        ("firings_by_delivery", ["trigger_id", "delivery"]),
        ("firings_by_job", ["job_id"]),
    ):
        op.create_index(name, "firings", columns, sqlite_where=has_job, postgresql_where=has_job)


def _leading_runs() -> None:
    op.add_column("jobs", sa.Column("run", sa.Integer(), nullable=False, server_default="0"))
