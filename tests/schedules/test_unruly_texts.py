"""Texts that Postgres does not keep: with a NUL character, or longer than an index takes."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.support import inside, opened, result, row, rows, status

from lampwork import Answer, Call, Job, Metadata, Project, Turn, playbook
from lampwork.errors import InputInvalid, JobFailed
from lampwork.insights import Insights
from lampwork.store.tasks.conversations import usage_below
from lampwork.worker import recovery

NUL = "a\0b"
# What looks like one, behind a backslash.
ALMOST = r"\u0000"

# Longer than an index of Postgres takes, which packs a text that repeats itself.
LONG = "".join(hashlib.sha256(bytes([each])).hexdigest() for each in range(250))

project = Project("unruly")
got: list[str] = []


@project.skill(effect="read")
def look(text: str, of: Metadata[str]) -> str:
    """Look."""
    got.extend((text, of))
    return text


@playbook
def sloppy(turn: Turn) -> Call | Answer:
    return Answer(NUL) if turn.results else Call(look, text=NUL + ALMOST)


clerk = project.genie("clerk", model=sloppy, job_description="You are sloppy.", skills=[look])


def stumble() -> None:
    raise ValueError(NUL)


@project.recipe()
async def stumbles(job: Job) -> None:
    await job.step(stumble)


@project.recipe()
async def logs(job: Job) -> None:
    job.log(NUL + "\ud800")


@project.recipe()
async def works(job: Job) -> str:
    task = await job.assign_task(clerk, "Look.", metadata={"of": NUL})
    await job.wait_for("go")
    return task.response


@project.recipe()
async def waits(job: Job, name: str = "go") -> None:
    await job.wait_for(name)


async def test_a_job_whose_code_raises_such_a_text_fails_with_it(home: Path) -> None:
    async with opened(project, home) as app:
        job = await app.start(stumbles)
        with pytest.raises(JobFailed, match=r"ValueError: a\\x00b"):
            await result(app, job.job_id)
        [(trace,)] = await rows(app, "SELECT traceback FROM jobs")
        assert trace.rstrip().endswith(r"ValueError: a\x00b")


async def test_a_line_of_the_log_is_kept(home: Path) -> None:
    async with opened(project, home) as app:
        await result(app, (await app.start(logs)).job_id)
        assert await rows(app, "SELECT message FROM logs") == [(r"a\x00b\ud800",)]


async def test_what_a_model_says_with_it_reaches_skills_and_answers_as_it_is(home: Path) -> None:
    got.clear()
    async with opened(project, home) as app:
        job = await app.start(works)
        await status(app, job.job_id, "suspended")
        assert got == [NUL + ALMOST, NUL]
        # All that asks for parts of what is on record.
        assert (await app.store.read(usage_below, job.job_id))["requests"] == 2
        [spent] = (await Insights(app.store).operations()).spend
        assert spent.genie == "clerk"
        listed = await Insights(app.store).jobs(metadata="of")
        assert [each.job_id for each in listed.items] == [job.job_id]
        retried = await app.rerun(job.job_id)
        await app.cancel(retried.job_id)
        await status(app, retried.job_id, "cancelled")
        await app.send_event(job.job_id, "go", NUL)
        assert await result(app, job.job_id) == NUL


async def test_where_it_can_not_stand_it_is_refused_before_anything_happens(home: Path) -> None:
    async with opened(project, home) as app:
        with pytest.raises(InputInvalid, match="NUL"):
            await app.assign(clerk, NUL)
        with pytest.raises(InputInvalid, match="NUL"):
            await app.chat(clerk, NUL, user="ann")
        with pytest.raises(InputInvalid):
            await app.chat(clerk, "Look.", user=NUL)
        with pytest.raises(InputInvalid, match="surrogate"):
            await app.start(stumbles, idempotency_key="\ud800")
        assert await rows(app, "SELECT id FROM jobs") == []


@pytest.mark.server
async def test_a_key_that_is_too_long_takes_no_other_change_with_it(home: Path) -> None:
    async with opened(project, home) as app:
        keys = "one", LONG, "other"
        started = [app.start(logs, idempotency_key=key) for key in keys]
        one, refused, other = await asyncio.gather(*started, return_exceptions=True)
        assert isinstance(refused, InputInvalid)
        assert "longer than the database can keep" in str(refused)
        for job in (one, other):
            assert not isinstance(job, BaseException)
            await result(app, job.job_id)


@pytest.mark.server
async def test_an_event_whose_name_is_too_long_fails_its_job(home: Path) -> None:
    async with opened(project, home) as app:
        job = await app.start(waits, name=LONG)
        with pytest.raises(JobFailed, match="longer than the database can keep"):
            await result(app, job.job_id)


async def test_a_job_that_can_not_be_run_keeps_no_other_from_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(project, home) as app:
        jobs = [(await app.start(waits)).job_id for _ in range(2)]
        for each in jobs:
            await status(app, each, "suspended")
        revive, tried = app.worker.waking.revive, list[str]()

        async def never_the_first(job_id: str, **how: Any) -> bool:
            tried.append(job_id)
            if job_id == tried[0]:
                raise ValueError("no")
            return await revive(job_id, **how)

        monkeypatch.setattr(app.worker.waking, "revive", never_the_first)

        async def lose_runs() -> None:
            for each in jobs:
                del app.worker.runs[each]
                await app.worker.engine.cancel(each)

        await inside(app, lose_runs())
        await inside(app, recovery.sweep(app.worker))
        # Others than this sweep look after them, too: how often, and who was first, is no matter.
        assert set(tried) == set(jobs)
        (other,) = set(jobs) - {tried[0]}
        await app.send_event(other, "go")
        await result(app, other)
        assert (await row(app, tried[0])).status == "suspended"
