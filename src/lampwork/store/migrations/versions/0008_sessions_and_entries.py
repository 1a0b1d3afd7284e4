"""Who executes is seen by a session; on Postgres an entry lies in its row, and not beside it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("executors", sa.Column("session", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        # Compressed if it is long. Of what is there already nothing is written anew.
        op.execute("ALTER TABLE entries ALTER COLUMN body SET STORAGE MAIN")
