"""Figures that are added up from few rows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _spending()


def _spending() -> None:
    op.add_column("tasks", sa.Column("model", sa.Text(), nullable=True))
    op.create_index("tasks_open", "tasks", ["status", "id"], **_where("ended_at is null"))
    op.drop_index("tasks_by_end", "tasks")
    op.create_index("tasks_by_end", "tasks", ["ended_at"], **_where("ended_at is not null"))


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
