"""The engine has a job on record as running here, and nothing runs: the live worker notices."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support import opened, result

from lampwork import Job, recovery


def claim_without_a_run(home: Path, job_id: str, like: str) -> None:
    """What is on disk after a start whose commit was made and whose answer was lost."""
    with closing(sqlite3.connect(home / "engine.db")) as connection:
        connection.row_factory = sqlite3.Row
        for table in ("workflow_status", "workflow_input"):
            query = f"select * from {table} where workflow_uuid = ?"
            row = dict(connection.execute(query, [like]).fetchone()) | {"workflow_uuid": job_id}
            columns, marks = ", ".join(row), ", ".join("?" * len(row))
            connection.execute(f"insert into {table} ({columns}) values ({marks})", [*row.values()])
        claimed = "update workflow_status set status = 'PENDING', output = null"
        connection.execute(f"{claimed} where workflow_uuid = ?", [job_id])
        connection.commit()


async def test_a_start_whose_answer_was_lost_is_made_good_for_while_the_worker_lives(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """The job has not begun, so its row says queued: no other run, and no restart, frees it."""

    @project.recipe()
    async def hello(job: Job, to: str) -> str:
        return f"hello {to}"

    monkeypatch.setattr(recovery, "_LOST_AFTER", 0.1)
    async with opened(project, home, sweep_interval=0.1) as app:
        first = await app.start(hello, to="one")
        assert await result(app, first.job_id) == "hello one"
        engine = app.worker.engine
        start = engine.start

        async def lose_the_answer(job_id: str) -> None:
            monkeypatch.setattr(engine, "start", start)
            claim_without_a_run(home, job_id, like=first.job_id)
            raise ConnectionResetError("no answer")

        monkeypatch.setattr(engine, "start", lose_the_answer)
        second = await app.start(hello, to="two")
        assert await result(app, second.job_id) == "hello two"
        assert engine.start == start
