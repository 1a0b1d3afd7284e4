"""Chats and those whose they are, code that a job is kept on, what models were sent, pruning."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("conversations", sa.Column("user", sa.Text(), nullable=True))
    _kept_code()
    limited = sa.Column("limited", sa.Boolean(), nullable=False, server_default="0")
    op.add_column("executors", limited)
    op.create_table(
        "briefings",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    _pruning()


def _kept_code() -> None:
    op.add_column("jobs", sa.Column("kept_code", sa.Text(), nullable=True))
    op.create_index(
        "jobs_by_kept_code",
        "jobs",
        ["kept_code"],
        sqlite_where=sa.text("kept_code is not null"),
        postgresql_where=sa.text("kept_code is not null"),
    )


def _pruning() -> None:
    op.create_table("pruned", sa.Column("id", sa.Text(), nullable=False, primary_key=True))
    op.add_column("writers", sa.Column("at", sa.Float(), nullable=False, server_default="0"))
