"""What many workers share, what is kept for how long, and people who are erased."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _retention()
    _counters()


def _retention() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("executor", sa.Text(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("jobs", sa.Column("erased_at", sa.Float(), nullable=True))
    only_roots = sa.text("parent_id is null")
    op.create_index(
        "jobs_by_end",
        "jobs",
        ["ended_at", "id"],
        sqlite_where=only_roots,
        postgresql_where=only_roots,
    )
    used_at = sa.Column("used_at", sa.Float(), nullable=False, server_default="0")
    op.add_column("briefings", used_at)
    # Nobody knows since when those that are there have not been used.
    op.execute(sa.text("update briefings set used_at = :now").bindparams(now=time.time()))


def _counters() -> None:
    op.add_column("executors", sa.Column("counters", sa.JSON(), nullable=True))
    op.add_column("executors", sa.Column("counted_at", sa.Float(), nullable=True))
    op.create_index("tasks_by_end", "tasks", ["ended_at"])
