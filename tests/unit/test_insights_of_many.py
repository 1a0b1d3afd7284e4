"""What is shown first of many jobs, and whose jobs are executed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lampwork import App, Job, Project, Settings
from lampwork.errors import JobNotFound
from lampwork.insights import Insights
from lampwork.place import Folder
from lampwork.views import Executor

project = Project("insights")


def cut_off() -> int:
    raise ConnectionError("cut off")


@project.recipe()
async def waits(job: Job, n: int) -> int:
    return n * await job.wait_for("go", int)


@project.recipe()
async def adds(job: Job) -> int:
    return 1 + 1


async def settle(job: Job, n: int) -> int:
    if n == 7:
        raise ValueError("no 7")
    if n == 8:
        return await job.options(effect="at_most_once").step(cut_off)
    return n * await job.wait_for("go", int)


@project.recipe()
async def settles(job: Job, n: int) -> Any:
    return await job.map(settle, list(range(n)), on_error="collect")


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[tuple[App, Insights]]:
    async with (
        project.open(settings=Settings(home=home, park_after=3600, grace=60)) as app,
        Insights.opened(Folder(home)) as insights,
    ):
        yield app, insights


async def in_status(insights: Insights, job_id: str, status: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            if (await insights.view(job_id)).status == status:
                return
        except JobNotFound:  # an item that its map has not started yet
            pass
        assert time.monotonic() < until, f"{job_id} was never {status}"
        await asyncio.sleep(0.005)


async def test_an_item_that_needs_a_person_or_failed_comes_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        job = await app.start(settles, n=9)
        for position in range(7):
            await in_status(insights, f"{job.job_id}.1.{position}", "suspended")
        await in_status(insights, f"{job.job_id}.1.7", "failed")
        await in_status(insights, f"{job.job_id}.1.8", "needs_attention")

        [call] = (await insights.tree(job.job_id)).calls

        positions = [int(each.job_id.rpartition(".")[2]) for each in call.jobs]
        assert positions == [8, 7, 0, 1, 2, 3]
        asking, failed, *_ = call.jobs
        assert failed.error is not None
        assert failed.error.message == f"recipe {__name__}:settle raised ValueError: no 7"
        assert [each.status for each in asking.calls] == ["unknown"]
        [wait] = (await insights.view(job.job_id)).waiting_on
        assert wait.waiting_on[0].job == f"{job.job_id}.1.8"


async def test_it_counts_the_unfinished_jobs_of_other_projects(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        await app.result((await app.start(adds)).job_id)
        await app.start(waits, n=1)
        await app.start(waits, n=1)

        assert await insights.unfinished_of_others("insights") == {}
        assert await insights.unfinished_of_others("another") == {"insights": 2}
        assert not await insights.has_several_projects()


async def test_it_knows_whether_a_process_executes(tmp_path: Path) -> None:
    async with Insights.opened(Folder(tmp_path)) as before:
        assert await before.executing("insights") is None
    async with opened(tmp_path) as (_app, insights):
        assert await insights.executing("insights") == Executor(pid=os.getpid(), project="insights")
    async with Insights.opened(Folder(tmp_path)) as after:
        assert await after.executing("insights") is None
