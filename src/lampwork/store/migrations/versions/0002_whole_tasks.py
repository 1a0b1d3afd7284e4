"""What stands above a job and a task: whose skill call it serves."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("task_id", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("parent_id", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("depth", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("calls", sa.Column("envelope", sa.Text(), nullable=True))
    op.add_column("calls", sa.Column("ended_at", sa.Float(), nullable=True))
