"""What triggers had started after a backup they start again, with the keys that it had, marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.schedules.scheduling import Clock, at, executing, fired
from tests.support import eventually, rows

from lampwork import App, Cron, Job, Poll, Project
from lampwork import clock as clocks
from lampwork.place import Folder
from lampwork.store import schema
from lampwork.upkeep import backup, restore

arrived: list[dict[str, int]] = []


async def hourly(job: Job) -> None:
    """Nothing to do."""


async def receive(job: Job, item: dict[str, int]) -> None:
    """Nothing to do."""


def arrivals() -> list[dict[str, int]]:
    return list(arrived)


def defined(project: Project) -> None:
    project.recipe(triggers=[Cron("@hourly", catch_up="all")])(hourly)
    project.recipe(triggers=[Poll(arrivals, every=600, key="number")])(receive)


async def started(app: App) -> dict[str, Any]:
    """By what has started each job: what the keys of its effects begin with, and its mark."""
    of = schema.jobs.c
    found = await rows(app, sa.select(of.trigger, of.keyed_as, of.restoration))
    return {by.get("scheduled_at") or by["key"]: (keyed_as, mark) for by, keyed_as, mark in found}


@pytest.mark.folder
async def test_times_and_items_start_their_jobs_again_under_the_same_keys(
    project: Project, home: Path, tmp_path: Path, clock: Clock
) -> None:
    defined(project)
    arrived[:] = []
    async with executing(project, home, clock) as app:
        clock.hours = 0.5
        with clocks.using(clock):
            backup.make(Folder(home), tmp_path / "backup")
        arrived.append({"number": 7})
        assert await at(app, clock, 2.01) == [1, 2]
        before = await started(app)
    clock.hours = 2.5
    with clocks.using(clock):
        restore.restore(tmp_path / "backup", Folder(tmp_path / "again"), by="ann")
    clock.hours = 3.01
    async with executing(project, tmp_path / "again", clock) as app:
        assert await fired(app) == [1, 2, 3]
        again = await started(app)
        assert {by: again[by][0] for by in before} == {by: keys for by, (keys, _) in before.items()}
        assert len({keys for keys, _ in again.values()}) == 4
        [new] = again.keys() - before.keys()
        assert [again[by][1] for by in before] == [1, 1, 1], "they may have been done before"
        assert again[new][1] is None, "the time came after the restore"
        await eventually(lambda: not app.worker.runs)
