"""Figures that are added up from few rows; what is to be done, by the indexes for it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _spending()
    _fewer_entries()
    op.drop_index("jobs_to_start", "jobs")
    may_start = _where("{apart}status = 'queued' and {apart}want = 'run'")
    op.create_index("jobs_to_start", "jobs", ["project", "callable", "created_at"], **may_start)
    # SQLite never took the index for the queries that it is for: they say it in other words.
    op.drop_index("waits_parked", "waits")
    answered = _where("parked {true} and answered {true}")
    op.create_index("waits_parked", "waits", ["job_id"], **answered)


def _spending() -> None:
    op.add_column("tasks", sa.Column("model", sa.Text(), nullable=True))
    op.create_index("tasks_open", "tasks", ["status", "id"], **_where("ended_at is null"))
    op.drop_index("tasks_by_end", "tasks")
    op.create_index("tasks_by_end", "tasks", ["ended_at"], **_where("ended_at is not null"))


def _fewer_entries() -> None:
    """On Postgres each change of a job writes to each index that it is in."""
    op.drop_index("jobs_by_parent", "jobs")
    parent = ["parent_id", "parent_call", "position"]
    op.create_index("jobs_by_parent", "jobs", parent, **_where("parent_id is not null"))
    op.drop_index("jobs_by_key", "jobs")
    key = ["project", "idempotency_key"]
    op.create_index("jobs_by_key", "jobs", key, **_where("idempotency_key is not null"))


def _where(condition: str) -> dict[str, Any]:
    return {
        "sqlite_where": sa.text(condition.format(true="is 1", apart="+")),
        "postgresql_where": sa.text(condition.format(true="is true", apart="")),
    }
