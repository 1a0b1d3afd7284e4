"""A job that waits is suspended; one that waits for long is parked: rows in tables, no memory."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lampwork import App, Job, Project, clock
from lampwork.errors import (
    AlreadyAnswered,
    InputInvalid,
    JobEnded,
    JobFailed,
    JobNotFound,
    WaitNotFound,
    WaitTimedOut,
)
from lampwork.insights import Insights
from lampwork.store.jobs import jobs

from ..support import park
from .conftest import Open

project = Project("waits")


def count(effects: str) -> int:
    """How often this has happened, kept in a file so that it outlives everything."""
    path = Path(effects)
    path.write_text(path.read_text() + "x" if path.exists() else "x")
    return len(path.read_text())


@project.recipe()
async def greet(job: Job, effects: str) -> str:
    first = await job.step(count, effects)
    name = await job.wait_for("name", str)
    return f"{first} hello {name} {await job.step(count, effects)}"


@project.recipe()
async def two_names(job: Job) -> list[str]:
    return [await job.wait_for("name", str), await job.wait_for("name", str)]


@project.recipe()
async def hurry(job: Job) -> str:
    try:
        await job.wait_for("name", timeout=0.05)
    except WaitTimedOut as error:
        return error.message
    return "in time"


async def test_a_call_took_from_when_it_was_first_begun_however_often_it_was_parked(
    opened: Open,
) -> None:
    async with opened(project) as app:
        job = await app.start(two_names)
        await park(app, job.job_id)
        parked = datetime.fromtimestamp(clock.now(), UTC)  # which may be that of a server
        for name in ("Ada", "Bob"):
            await app.send_event(job.job_id, name="name", value=name)
        await app.result(job.job_id)
        copy = await app.fork(job.job_id, at=2)
        calls = [(await Insights(app.store).job(each.job_id)).calls[0] for each in (job, copy)]

    for call in calls:
        assert call.started_at is not None
        assert call.ended_at is not None
        assert call.started_at < parked < call.ended_at


@project.recipe()
async def nap(job: Job) -> str:
    await job.sleep(timedelta(milliseconds=50))
    return "rested"


async def row_when(app: App, job_id: str, want: str) -> str:
    """The job's status when it is meant to do this."""
    async with asyncio.timeout(60):
        while (row := await app.store.read(jobs.get, job_id)).want != want:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return row.status


@pytest.mark.parametrize("park_after", [0.0, 60.0], ids=["parked", "hot"])
async def test_an_event_lets_a_waiting_job_go_on(
    opened: Open, tmp_path: Path, park_after: float
) -> None:
    effects = str(tmp_path / "effects")
    async with opened(project, park_after=park_after) as app:
        job = await app.start(greet, effects=effects)
        if park_after == 0.0:
            assert await row_when(app, job.job_id, "parked") == "suspended"
        await app.send_event(job.job_id, "name", "Ada")
        assert await app.result(job.job_id) == "1 hello Ada 2"


async def test_a_waiting_job_outlives_its_process(opened: Open, tmp_path: Path) -> None:
    effects = str(tmp_path / "effects")
    async with opened(project) as app:
        job = await app.start(greet, effects=effects)
    async with opened(project) as app:
        await app.send_event(job.job_id, "name", "Ada")
        assert await app.result(job.job_id) == "1 hello Ada 2"


async def test_events_that_come_early_are_kept_and_taken_in_order(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(two_names)
        await app.send_event(job.job_id, "name", "Ada")
        await app.send_event(job.job_id, "name", "Grace")
        assert await app.result(job.job_id) == ["Ada", "Grace"]


async def test_a_wait_can_have_an_end(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(hurry) == 'No event "name" came within 0.05 s.'


@pytest.mark.parametrize("park_after", [0.0, 60.0], ids=["parked", "hot"])
async def test_a_job_sleeps(opened: Open, park_after: float) -> None:
    async with opened(project, park_after=park_after) as app:
        assert await app.run(nap) == "rested"


async def test_an_event_for_a_job_that_has_ended_or_never_was_is_refused(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(nap)
        await app.result(job.job_id)
        with pytest.raises(JobEnded):
            await app.send_event(job.job_id, "name", "Ada")
        with pytest.raises(JobNotFound):
            await app.send_event("j0", "name", "Ada")
        with pytest.raises(WaitNotFound):
            await app.resolve("w0", "happened", by="dana")


# --- unknown outcomes ---


async def send_letter(effects: str) -> str:
    count(effects)
    raise ConnectionResetError("no answer")


@project.recipe()
async def post(job: Job, effects: str) -> str:
    return await job.options(effect="at_most_once").step(send_letter, effects)


async def waiting_for_resolution(app: App, job_id: str) -> str:
    async with asyncio.timeout(60):
        while (row := await app.store.read(jobs.get, job_id)).status != "needs_attention":  # noqa: ASYNC110
            await asyncio.sleep(0)
    return f"w{row.id[1:]}.1"


async def test_what_may_have_happened_is_asked_of_a_person(opened: Open, tmp_path: Path) -> None:
    async with opened(project) as app:
        job = await app.start(post, effects=str(tmp_path / "effects"))
        wait = await waiting_for_resolution(app, job.job_id)
        await app.resolve(
            wait, "happened", result="delivered", reason="the parcel is there", by="dana"
        )
        assert await app.result(job.job_id) == "delivered"
        said = r"already answered by dana at 20\d\d-.*: happened, the parcel is there; the first"
        with pytest.raises(AlreadyAnswered, match=said):
            await app.resolve(wait, "fail", by="eve")
    assert (tmp_path / "effects").read_text() == "x"


@pytest.mark.parametrize("resolution", ["did_not_happen", "fail"])
async def test_only_what_happened_has_a_result(
    opened: Open, tmp_path: Path, resolution: str
) -> None:
    """ "A wrong word changes nothing": who gives a result can't mean that it did not happen."""
    async with opened(project) as app:
        job = await app.start(post, effects=str(tmp_path / "effects"))
        wait = await waiting_for_resolution(app, job.job_id)
        with pytest.raises(InputInvalid, match=f"you say {resolution}"):
            await app.resolve(wait, resolution, result="delivered", by="dana")
        with pytest.raises(InputInvalid, match=r"missing: .*--result\. It is a text\. Nothing"):
            await app.resolve(wait, "happened", by="dana")
        await app.resolve(wait, "happened", result="delivered", by="dana")
        assert await app.result(job.job_id) == "delivered"
    assert (tmp_path / "effects").read_text() == "x"


async def test_a_person_may_say_that_it_failed(opened: Open, tmp_path: Path) -> None:
    async with opened(project) as app:
        job = await app.start(post, effects=str(tmp_path / "effects"))
        wait = await waiting_for_resolution(app, job.job_id)
        await app.resolve(wait, "fail", reason="the letter came back", by="dana")
        with pytest.raises(JobFailed, match="the letter came back"):
            await app.result(job.job_id)


@project.recipe()
async def count_to(job: Job) -> int:
    return await job.wait_for("number", int)


async def test_who_sends_an_event_of_the_wrong_type_is_told_and_nothing_is_sent(
    opened: Open,
) -> None:
    async with opened(project, park_after=0.0) as app:
        job = await app.start(count_to)
        await row_when(app, job.job_id, "parked")
        with pytest.raises(InputInvalid, match="Nothing was sent"):
            await app.send_event(job.job_id, "number", "seven")
        await app.send_event(job.job_id, "number", 7)
        assert await app.result(job.job_id) == 7


async def test_an_early_event_of_the_wrong_type_is_passed_over(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(nap_and_count)
        await app.send_event(job.job_id, "number", "seven")
        await app.send_event(job.job_id, "number", 7)
        await app.send_event(job.job_id, "go", None)
        assert await app.result(job.job_id) == 7


@project.recipe()
async def nap_and_count(job: Job) -> int:
    await job.wait_for("go")
    return await job.wait_for("number", int)
