"""What `lampwork dev` sees to, and tells of, when several things happen at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support import DEADLINE, opened, status

from lampwork import Job, Project
from lampwork.cli.dev.job_lines import JobLines
from lampwork.cli.dev.supervisor import Manner, Supervisor
from lampwork.cli.dev.voice import Voice
from lampwork.cli.options import Options
from lampwork.insights import Insights
from lampwork.place import Folder

project = Project("supervised")


@project.recipe()
async def asks(job: Job) -> str:
    return await job.wait_for("go", str)


@pytest.fixture
async def job_id(tmp_path: Path) -> str:
    """A job that waits, in the folder."""
    async with opened(project, tmp_path) as app:
        job = await app.start(asks)
        await status(app, job.job_id, "suspended")
    return job.job_id


@pytest.fixture
async def dev(job_id: str, tmp_path: Path) -> AsyncIterator[Supervisor]:
    options, manner = Options(tmp_path, as_json=True), Manner("keep", triggers=False, stays=False)
    async with (
        Insights.opened(Folder(tmp_path)) as insights,
        Supervisor.opened(None, options, manner, insights) as dev,
    ):
        yield dev


async def test_what_could_go_on_when_an_edit_came_is_seen_to_after_the_edit(
    dev: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """*An edit that brought nothing left it until something else was committed.*"""
    seen_to = asyncio.Event()

    async def take_over(*, first: bool = False) -> None:
        dev._edits.take()
        if first:
            dev._edits.seen.set()
            dev._changed.set()

    async def give_turn() -> None:
        seen_to.set()

    monkeypatch.setattr(dev, "_take_over", take_over)
    monkeypatch.setattr(dev, "_give_turn", give_turn)

    working = asyncio.create_task(dev.work())
    try:
        await asyncio.wait_for(seen_to.wait(), DEADLINE)
    finally:
        working.cancel()


async def test_the_jobs_that_are_there_are_told_before_anything_executes(
    job_id: str, capfd: Any, dev: Supervisor
) -> None:
    """*One that ended before the first look was never told of.*"""
    assert f'"job_id": "{job_id}"' in capfd.readouterr().out


async def test_a_job_that_is_committed_after_one_with_a_later_id_is_told_of(
    tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """*It was taken for one of those that had been there before the first look.*"""
    async with opened(project, tmp_path) as app:
        first, later = [(await app.start(asks)).job_id for _ in range(2)]
        for each in (first, later):
            await status(app, each, "suspended")
        insights = Insights(app.store)
        page = await insights.jobs(roots=True)
        assert [each.job_id for each in page.items] == [later, first]
        looks = [replace(page, items=page.items[:1]), page]
        lines = JobLines(insights, Options(tmp_path, as_json=True), Voice(as_json=True))

        async def committed(_: Insights, **_wanted: Any) -> Any:
            return looks.pop(0)

        monkeypatch.setattr(Insights, "jobs", committed)
        for told in (later, first):
            await lines.look()
            [said] = capfd.readouterr().out.splitlines()
            assert json.loads(said)["job"]["job_id"] == told
