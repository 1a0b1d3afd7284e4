"""What many workers share and limit, what is kept, who is erased, and what was restored."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _retention()
    _counters()
    _limits()
    _restorations()
    _heartbeats()


def _heartbeats() -> None:
    for name in ("host", "version"):
        text = sa.Column(name, sa.Text(), nullable=False, server_default="")
        op.add_column("executors", text)
    for name, kind in (("interval", sa.Float()), ("beats", sa.Integer()), ("beat_at", sa.Float())):
        op.add_column("executors", sa.Column(name, kind, nullable=False, server_default="0"))


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


def _limits() -> None:
    to_start = sa.text("status = 'queued' and want = 'run'")
    op.create_index(
        "jobs_to_start",
        "jobs",
        ["project", "callable", "created_at"],
        sqlite_where=to_start,
        postgresql_where=to_start,
    )
    op.create_table(
        "limits",
        sa.Column("project", sa.Text(), nullable=False, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False, primary_key=True),
        sa.Column("name", sa.Text(), nullable=False, primary_key=True),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("ordered", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "places",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False, unique=True),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("wait_id", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("places_in_line", "places", ["project", "kind", "name", "held", "id"])
    op.create_index("places_by_job", "places", ["job_id"])
    op.create_table(
        "rates",
        sa.Column("project", sa.Text(), nullable=False, primary_key=True),
        sa.Column("name", sa.Text(), nullable=False, primary_key=True),
        sa.Column("requests_at", sa.Float(), nullable=False),
        sa.Column("tokens_at", sa.Float(), nullable=False),
        sa.Column("closed_until", sa.Float(), nullable=False),
    )


def _restorations() -> None:
    op.create_table(
        "restorations",
        sa.Column("id", sa.Integer(), nullable=False, primary_key=True),
        sa.Column("backup_at", sa.Float(), nullable=False),
        sa.Column("restored_at", sa.Float(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.Float(), nullable=True),
    )
    op.add_column("jobs", sa.Column("keyed_as", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("restoration", sa.Integer(), nullable=True))
    is_restored = sa.text("restoration is not null")
    op.create_index(
        "jobs_restored",
        "jobs",
        ["restoration"],
        sqlite_where=is_restored,
        postgresql_where=is_restored,
    )
