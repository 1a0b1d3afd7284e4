"""The engine's own file, `engine.db`: apart from ours, because two writers on one file contend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event


def open_engine_file(home: Path) -> sa.Engine:
    """`home/engine.db` in WAL mode, synced at each commit; DBOS would use a rollback journal."""
    engine = sa.create_engine(
        f"sqlite:///{home / 'engine.db'}",
        pool_size=4,
        max_overflow=0,
        # DBOS ends each transaction itself; the pool's rollback on return was 3 % of a job's cost.
        pool_reset_on_return=None,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # DBOS counts on transactions that take the write lock at their first write.
        connection.isolation_level = "IMMEDIATE"
        for pragma in (
            "busy_timeout=30000",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
