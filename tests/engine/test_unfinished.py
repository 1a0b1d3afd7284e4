"""Which jobs the engine is to run, and nobody sees to: read from its table, by its indexes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.behind import place_at, tables
from tests.engine.conftest import Launch

from lampwork.engine.database import open_tables
from lampwork.engine.tables import unfinished_rows
from lampwork.place import Server

ELSEWHERE = {"two": "1", "three": "2"}
"""Executors that are alive, with the versions of their code."""


async def execute(_job_id: str) -> str:
    return '{"value":1}'


def shown(home: Path, job_id: str, status: str, *, at: str = "one", version: str = "1") -> None:
    """Let a job that has run stand so."""
    change = sa.text(
        "update workflow_status set status = :status, executor_id = :at, "
        "application_version = :version where workflow_uuid = :id"
    )
    with tables(place_at(home), "dbos") as connection:
        given = {"id": job_id, "status": status, "at": at, "version": version}
        connection.execute(change, given)


@pytest.mark.usefixtures("place")
async def test_what_is_unfinished_is_named_but_for_what_others_see_to(launched: Launch, home: Path):
    async with launched(execute) as engine:
        for number in range(1, 8):
            await engine.start(f"j{number}")
            await engine.comes_to(f"j{number}", "success")
        shown(home, "j1", "PENDING")
        shown(home, "j2", "PENDING", at="two")
        shown(home, "j3", "PENDING", at="gone", version="2")
        # Nobody's who runs this code, so that the queue does not hand them out here.
        shown(home, "j4", "ENQUEUED", version="2")
        shown(home, "j5", "ENQUEUED", at="two", version="0")
        shown(home, "j6", "CANCELLED", at="gone")

        found = await engine.call(engine.engine.unfinished(ELSEWHERE))
        assert sorted(found) == ["j1", "j3", "j5"]
        alone = await engine.call(engine.engine.unfinished({}))
        assert sorted(alone) == ["j1", "j2", "j3", "j4", "j5"]


async def test_jobs_that_are_parked_cost_nothing_who_looks_for_them(server: str) -> None:
    """There may be 100,000 of them, and each worker looks every few seconds."""
    parked = sa.text(
        "insert into workflow_status (workflow_uuid, status, name, executor_id) "
        "select 'j' || n, 'CANCELLED', 'execute_job', 'one' from generate_series(1, 20000) n"
    )
    with tables(Server(server), "dbos") as connection:
        connection.execute(parked)
        connection.execute(sa.text("analyze workflow_status"))
    plans: list[str] = []

    def explain(
        connection: sa.Connection, _: object, statement: str, given: Any, *more: Any
    ) -> None:
        if "workflow_status" in statement:
            cursor = connection.connection.cursor()
            cursor.execute(f"explain {statement}", given)
            plans.extend(row[0] for row in cursor.fetchall())

    database = open_tables(Server(server))
    sa.event.listen(database, "before_cursor_execute", explain)
    try:
        assert await asyncio.to_thread(unfinished_rows, database, ELSEWHERE) == []
    finally:
        database.dispose()
    assert any("idx_workflow_status_" in line for line in plans), plans
    assert not any("Seq Scan" in line or "created_at_index" in line for line in plans), plans
