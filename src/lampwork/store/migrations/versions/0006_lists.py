"""Lists that are found by an index, whatever they are asked for."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_index("jobs_by_status", "jobs")
    op.create_index("jobs_by_status", "jobs", ["status", "project", "created_at", "id"])
    op.create_index("jobs_by_recipe", "jobs", ["project", "callable", "created_at", "id"])
    op.create_index("jobs_by_time", "jobs", ["project", "created_at", "id"])
    op.create_index("tasks_by_genie", "tasks", ["genie", "job_id", "conversation_id"])
    op.create_index("conversations_by_time", "conversations", ["project", "created_at", "id"])
    op.drop_index("waits_paused", "waits")
    op.create_index("waits_open", "waits", ["kind", "job_id"], **_where("answered {false}"))
    # SQLite never took the index for the queries that it is for: they say it in other words.
    op.drop_index("waits_by_due", "waits")
    in_time = _where("due_at is not null and answered {false}")
    op.create_index("waits_by_due", "waits", ["due_at"], **in_time)


def _where(condition: str) -> dict[str, Any]:
    return {
        "sqlite_where": sa.text(condition.format(false="is 0")),
        "postgresql_where": sa.text(condition.format(false="is false")),
    }
