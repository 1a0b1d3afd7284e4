"""What becomes of jobs that new code does not fit, as `lampwork dev` decides and carries it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.behind import place_at, tables
from tests.support import opened, row, status

from lampwork import Job, Project
from lampwork.cli.dev.misfits import Decision, Misfit, carry_out, misfits, without_asking
from lampwork.cli.dev.voice import Voice
from lampwork.insights import Insights
from lampwork.place import Folder
from lampwork.versioning.upgrade import Rehearsed

project = Project("misfits")


@project.recipe()
async def asks(job: Job) -> str:
    return await job.wait_for("go", str)


@project.recipe()
async def calls(job: Job) -> str:
    await job.step(str, 1)
    return await job.call(asks)


@project.recipe()
async def starts(job: Job) -> str:
    return (await job.start(asks)).job_id


class Said(Voice):
    """Remembers what is said."""

    said: list[dict[str, Any]] = []  # noqa: RUF012  # one per test, see `voice`

    def tell(self, event: str, text: str | None, **facts: Any) -> None:
        self.said.append({"event": event, "text": text, **facts})


@pytest.fixture
def voice() -> Said:
    Said.said = []
    return Said(as_json=True)


def stopped(job_id: str, call: int | None) -> Rehearsed:
    return Rehearsed(
        job_id=job_id,
        recipe="asks",
        status="suspended",
        version="v",
        goes_on=False,
        call=call,
        why="it differs",
    )


async def waiting(home: Path, recipe: Any, below: str) -> str:
    """A job of that recipe, closed while the one `below` it waits."""
    async with opened(project, home) as app:
        job_id = (await app.start(recipe)).job_id
        await app.store.write(lambda _connection: None)
        if recipe is starts:
            await app.result(job_id)
        else:
            await status(app, job_id, "suspended")
        await status(app, job_id + below, "suspended")
        return job_id


async def only(insights: Insights, *jobs: Rehearsed) -> Misfit:
    [misfit] = await misfits(insights, jobs)
    return misfit


async def test_a_job_is_forked_at_the_first_of_its_calls_that_leads_to_a_difference(
    tmp_path: Path,
) -> None:
    job_id = await waiting(tmp_path, calls, ".2")
    async with Insights.opened(Folder(tmp_path)) as insights:
        assert (await only(insights, stopped(f"{job_id}.2", 1))).fork_at == 2
        assert (await only(insights, stopped(f"{job_id}.2", None))).fork_at == 2
        both = await only(insights, stopped(job_id, 1), stopped(f"{job_id}.2", 1))
        assert (both.id, both.fork_at) == (job_id, 1)
        assert (await only(insights, stopped(job_id, None))).fork_at is None


async def test_what_cannot_be_done_for_all_becomes_what_loses_nothing(tmp_path: Path) -> None:
    job_id = await waiting(tmp_path, calls, ".2")
    async with Insights.opened(Folder(tmp_path)) as insights:
        nowhere = await only(insights, stopped(job_id, None))

    def decided(choice: Decision, *, can_keep: bool) -> str:
        return without_asking([nowhere], choice, can_keep=can_keep)[job_id]

    assert decided("fork", can_keep=True) == "keep"
    assert decided("fork", can_keep=False) == "leave"
    assert decided("keep", can_keep=False) == "leave"
    assert decided("discard", can_keep=False) == "discard"


async def test_a_fork_goes_on_in_place_of_its_original(tmp_path: Path, voice: Said) -> None:
    job_id = await waiting(tmp_path, calls, ".2")
    async with Insights.opened(Folder(tmp_path)) as insights:
        misfit = await only(insights, stopped(f"{job_id}.2", 1))
        await carry_out(insights, misfit, "fork", "old", voice)
        fork = await insights.job(voice.said[0]["fork"])
        assert (fork.fork_of, fork.forked_at) == (job_id, 2)
    async with opened(project, tmp_path) as app:
        await status(app, job_id, "cancelled")
        await status(app, f"{fork.job_id}.2", "suspended")


async def test_a_job_that_executed_when_it_was_stopped_is_kept_and_not_forked(
    tmp_path: Path, voice: Said
) -> None:
    job_id = await waiting(tmp_path, calls, ".2")
    with tables(place_at(tmp_path)) as connection:
        killed = "update jobs set status = 'running', executor = 'gone' where id = :id"
        connection.execute(sa.text(killed), {"id": job_id})
    async with Insights.opened(Folder(tmp_path)) as insights:
        await carry_out(insights, await only(insights, stopped(job_id, 1)), "fork", "old", voice)
        assert "It goes on with the old code." in voice.said[0]["text"]
        job = await insights.job(job_id)
        assert (job.kept_code, job.copies, job.cancelling) == ("old", (), False)


async def test_of_a_job_that_has_ended_only_what_it_left_behind_is_discarded(
    tmp_path: Path, voice: Said
) -> None:
    job_id = await waiting(tmp_path, starts, ".1")
    async with Insights.opened(Folder(tmp_path)) as insights:
        misfit = await only(insights, stopped(f"{job_id}.1", 1))
        assert misfit.fork_at is None
        await carry_out(insights, misfit, "discard", "old", voice)
    async with opened(project, tmp_path) as app:
        await status(app, f"{job_id}.1", "cancelled")
        assert (await row(app, job_id)).status == "succeeded"
