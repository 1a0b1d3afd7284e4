"""Jobs that are kept on older code: no other code starts, wakes or counts them, whatever comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.behind import place_at, tables
from tests.support import (
    crash,
    drained,
    eventually,
    idle,
    inside,
    opened,
    park,
    result,
    row,
    status,
)

from lampwork import Job, Project
from lampwork.door import Door
from lampwork.errors import Conflict
from lampwork.insights import Insights
from lampwork.store.jobs import kept, unfinished
from lampwork.worker import recovery

project = Project("kept")
ended: list[str] = []


@project.recipe()
async def asks(job: Job) -> str:
    return await job.wait_for("go", str)


async def tidy(job: Job) -> None:
    ended.append(job.id)


@project.recipe()
async def calls_asks(job: Job) -> str:
    job.on_end(tidy)
    return await job.call(asks)


async def keep(app: Any, *job_ids: str, code: str = "c1") -> None:
    await app.store.write(kept.keep, job_ids, code)


async def waiting_below(app: Any, job_id: str) -> None:
    for each in (job_id, f"{job_id}.1"):
        await status(app, each, "suspended")


async def test_other_code_neither_starts_nor_wakes_a_kept_job(tmp_path: Path) -> None:
    async with opened(project, tmp_path) as app:
        waiting, parked = [(await app.start(calls_asks)).job_id for _ in range(2)]
        for job_id in (waiting, parked):
            await waiting_below(app, job_id)
        await park(app, f"{parked}.1")
        await park(app, parked)
        await keep(app, waiting, parked)
    async with Insights.opened(place_at(tmp_path)) as insights:
        queued = (await Door(project, insights.store).start(asks)).job_id
        await keep(insights, queued)
    async with opened(project, tmp_path) as app:
        free = (await app.start(asks)).job_id
        for job_id in (f"{waiting}.1", f"{parked}.1", free):
            await app.send_event(job_id, "go", "on")
        await inside(app, recovery.sweep(app.worker))

        assert await result(app, free) == "on"

        await eventually(lambda: app.worker.runs == {})
        assert (await row(app, queued)).status == "queued"
        assert (await row(app, waiting)).want == "run"
        assert (await row(app, f"{parked}.1")).want == "parked"
        kept_jobs = {waiting, f"{waiting}.1", parked, f"{parked}.1", queued}
        assert not kept_jobs & set(await app.store.read(unfinished.unfinished, project.name))


async def test_its_own_code_executes_it_to_its_end_and_nothing_else(tmp_path: Path) -> None:
    ended.clear()
    async with opened(project, tmp_path) as app:
        old, new, other = [(await app.start(calls_asks)).job_id for _ in range(3)]
        for job_id in (old, new, other):
            await waiting_below(app, job_id)
            await park(app, f"{job_id}.1")
            await park(app, job_id)
        await keep(app, old)
        await keep(app, other, code="c2")
        assert await app.store.read(kept.movable, project.name) == {}
        for job_id in (old, new, other):
            await app.send_event(f"{job_id}.1", "go", "on")
        assert await result(app, new) == "on"
        await status(app, f"{new}.0.1", "succeeded")
        movable = await app.store.read(kept.movable, project.name)
        assert movable == {f"{old}.1": "c1", f"{other}.1": "c2"}

    async with opened(project, tmp_path, kept_code="c1", sweep_interval=0.02) as app:
        assert await result(app, old) == "on"
        await status(app, f"{old}.0.1", "succeeded")
        assert ended == [f"{new}.0.1", f"{old}.0.1"]
        await drained(app)

        assert (await row(app, other)).status == "suspended"
        assert await app.store.read(kept.in_use) == {"c2"}
        assert await app.store.read(kept.unfinished, project.name) == [other]


async def test_go_on_lets_it_go_on_with_the_code_of_today(tmp_path: Path) -> None:
    async with opened(project, tmp_path) as app:
        job_id = (await app.start(calls_asks)).job_id
        await waiting_below(app, job_id)
        await keep(app, job_id)
    async with opened(project, tmp_path) as app:
        await app.send_event(f"{job_id}.1", "go", "on")
        await inside(app, recovery.sweep(app.worker))
        assert app.worker.runs == {}

        await app.go_on(f"{job_id}.1")
        await inside(app, recovery.sweep(app.worker))

        assert await result(app, job_id) == "on"
        with pytest.raises(Conflict):
            await app.go_on(job_id)


async def test_code_that_is_back_releases_what_was_kept_on_it(tmp_path: Path) -> None:
    async with opened(project, tmp_path) as app:
        job_id, other = (await app.start(asks)).job_id, (await app.start(asks)).job_id
        await keep(app, job_id)
        await keep(app, other, code="c2")

        await app.store.write(kept.release_all, project.name, "c1")

        assert await app.store.read(kept.in_use) == {"c2"}
        assert await idle(app, job_id)


async def test_a_kept_job_that_crashed_its_process_is_no_suspect_of_other_code(
    tmp_path: Path,
) -> None:
    async with opened(project, tmp_path) as app:
        job_id = (await app.start(asks)).job_id
        await status(app, job_id, "suspended")
        await keep(app, job_id)
    with tables(place_at(tmp_path)) as connection:
        connection.exec_driver_sql("update jobs set status = 'running'")
    crash(tmp_path, {job_id: 4})
    async with opened(project, tmp_path) as app:
        free = (await app.start(asks)).job_id
        await idle(app, free)
        assert app.worker.alone is None
        assert (await row(app, job_id)).want == "run"
