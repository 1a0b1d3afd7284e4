"""Chats and those whose they are, the code that a job is kept on, what models were sent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("conversations", sa.Column("user", sa.Text(), nullable=True))
    _kept_code()
    op.create_table(
        "briefings",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )


def _kept_code() -> None:
    op.add_column("jobs", sa.Column("kept_code", sa.Text(), nullable=True))
    op.create_index(
        "jobs_by_kept_code", "jobs", ["kept_code"], sqlite_where=sa.text("kept_code is not null")
    )
