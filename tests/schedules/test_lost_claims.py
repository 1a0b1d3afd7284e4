"""The engine has a job on record as running here, and nothing runs: the live worker notices."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.behind import place_at, tables
from tests.support import NEVER, eventually, inside, opened, park, result, row, sql

from lampwork import Job
from lampwork.store.processes import executors
from lampwork.worker import Worker, recovery
from lampwork.worker.presence import Presence


def claim_without_a_run(home: Path, job_id: str, like: str) -> None:
    """What is on disk after a start whose commit was made and whose answer was lost."""
    with tables(place_at(home), "dbos") as connection:
        for table in ("workflow_status", "workflow_input"):
            query = sa.text(f"select * from {table} where workflow_uuid = :id")
            row = connection.execute(query, {"id": like}).mappings().one()
            marks = ", ".join(f":{column}" for column in row)
            insert = sa.text(f"insert into {table} ({', '.join(row)}) values ({marks})")
            connection.execute(insert, {**row, "workflow_uuid": job_id})
        claimed = "update workflow_status set status = 'PENDING', output = null"
        connection.execute(sa.text(f"{claimed} where workflow_uuid = :id"), {"id": job_id})


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

        async def lose_the_answer(job_id: str) -> bool:
            monkeypatch.setattr(engine, "start", start)
            claim_without_a_run(home, job_id, like=first.job_id)
            raise ConnectionResetError("no answer")

        monkeypatch.setattr(engine, "start", lose_the_answer)
        second = await app.start(hello, to="two")
        assert await result(app, second.job_id) == "hello two"
        assert engine.start == start


@pytest.mark.server
async def test_a_claim_that_is_lost_where_another_process_has_charge_is_made_good_for(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*One had woken the job, so it was in its charge; the other had claimed it from the engine,
    with a connection that was cut right then. Both were alive, and neither looked after it.*"""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    monkeypatch.setattr(recovery, "_LOST_AFTER", 0)
    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        here = app.worker
        presence = Presence(app.store, project.name, project.version, limited=False, interval=NEVER)
        await app.store.write(executors.start, presence._new)
        other = Worker(project, app.settings, app.store, here.engine, presence, here.cast)
        await sql(app, "update jobs set want = 'run', executor = :other", other=presence.id)
        claimed = "update dbos.workflow_status set status = 'PENDING', executor_id = :here"
        await sql(app, claimed, here=here.presence.id)

        await inside(app, recovery.sweep(here))
        assert (await row(app, job_id)).executor == presence.id
        await inside(app, recovery.sweep(other))
        assert (await row(app, job_id)).executor == here.presence.id
        await inside(app, recovery.sweep(here))
        await app.send_event(job_id, "go", "hello")
        assert await result(app, job_id) == "hello"


async def test_a_run_that_begins_while_its_job_is_taken_back_is_left_alone(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*Who takes it back stalls between its look and its act, and would cancel its own run.*"""
    begun = 0

    @project.recipe()
    async def patient(job: Job) -> str:
        nonlocal begun
        begun += 1
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        await sql(app, "update jobs set want = 'run'")
        engine, status = app.worker.engine, app.worker.engine.status

        async def stalls(of: str) -> str:
            monkeypatch.setattr(engine, "status", status)
            await engine.requeue(of)
            await eventually(lambda: of in app.worker.runs, "the engine did not hand it out")
            return "pending"

        monkeypatch.setattr(engine, "status", stalls)
        assert not await inside(app, app.worker.waking.revive(job_id, lost=True))
        await app.send_event(job_id, "go", "hello")
        assert await result(app, job_id) == "hello"
        assert begun == 2


async def test_a_job_that_has_its_place_and_was_not_started_is_started(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """ "A recipe's place is taken before a job is handed to the engine": who dies in between left a
    job queued that was in its own way, and in that of all behind it."""

    @project.recipe(concurrency=1, ordered=True)
    async def one(job: Job, number: int) -> int:
        return number

    async with opened(project, home, sweep_interval=0.1) as app:
        engine = app.worker.engine
        start = engine.start

        async def die(job_id: str) -> bool:
            monkeypatch.setattr(engine, "start", start)
            raise ConnectionResetError("no answer")

        monkeypatch.setattr(engine, "start", die)
        jobs = [await app.start(one, number=number) for number in range(2)]
        assert [await result(app, each.job_id) for each in jobs] == [0, 1]
        assert engine.start == start
