"""A job whose code was executing when its process crashed is suspect; others are not."""

from __future__ import annotations

import threading

import pytest
from tests.support import NEVER, crash, eventually, inside, opened, result, sql

from lampwork import Job
from lampwork.door import Door
from lampwork.store.processes import executors
from lampwork.store.processes.executors import NewExecutor
from lampwork.worker import recovery


async def test_while_a_suspect_runs_alone_a_sweep_starts_nothing_else(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """A neighbour was executing too; the sweep finds that it has no run and takes it up, beside
    the suspect, which takes it along when it crashes again."""
    monkeypatch.setattr(recovery, "_ALONE_FOR", NEVER)
    gate = threading.Event()
    executing: list[str] = []

    def work(name: str) -> str:
        executing.append(name)
        gate.wait(60)
        return name

    @project.recipe()
    async def worker(job: Job, name: str) -> str:
        return await job.step(work, name)

    async with opened(project, home, grace=0) as app:
        suspect = (await app.start(worker, name="suspect")).job_id
        neighbour = (await app.start(worker, name="neighbour")).job_id
        await eventually(lambda: len(executing) == 2)
    crash(home, {suspect: 1})
    executing.clear()
    async with opened(project, home, grace=0) as app:
        await eventually(lambda: executing)
        await inside(app, recovery.sweep(app.worker))
        assert set(app.worker.runs) == {suspect}
        assert executing == ["suspect"]
        gate.set()
        assert await result(app, suspect) == "suspect"
        assert await result(app, neighbour) == "neighbour"


async def test_a_process_that_closes_leaves_suspects_to_the_next_one(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """It went on to the next suspect, which could not start any more, and waited for it."""
    monkeypatch.setattr(recovery, "_ALONE_FOR", NEVER)  # for so long it would wait
    gate = threading.Event()
    executing: list[str] = []

    def work(name: str) -> None:
        executing.append(name)
        gate.wait(60)

    @project.recipe()
    async def worker(job: Job, name: str) -> None:
        await job.step(work, name)

    async with opened(project, home, grace=0) as app:
        both = [(await app.start(worker, name=name)).job_id for name in ("one", "other")]
        await eventually(lambda: len(executing) == 2)
    crash(home, dict.fromkeys(both, 1))
    executing.clear()
    async with opened(project, home, grace=0):
        await eventually(lambda: executing)
    gate.set()
    assert len(executing) == 1


@pytest.mark.server
async def test_a_suspect_whose_process_others_found_gone_is_run(project, home):
    """Whoever found its process gone executes another project, or was gone before it ran it."""

    @project.recipe()
    async def worker(job: Job) -> str:
        return "done"

    class Elsewhere(Door):
        executor_id = "gone"

    async with opened(project, home) as app:
        gone = NewExecutor(id="gone", project="test", version="1", limited=False, interval=3.0)
        await app.store.write(executors.start, gone)
        job = (await Elsewhere(project, app.store).start(worker)).job_id
        begun = "UPDATE jobs SET status = 'running', started_at = created_at, crashes = 1"
        await sql(app, f"{begun} WHERE id = :job", job=job)
        await app.store.write(executors.bury, {"gone": 0})
        await inside(app, recovery.sweep(app.worker))
        assert await result(app, job) == "done"
