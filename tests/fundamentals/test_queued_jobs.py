"""Jobs that wait to begin: recipes take turns, and a project can say when it has enough of them."""

from __future__ import annotations

import asyncio

import pytest

from lampwork import Job, Project
from lampwork.errors import ProjectError, QueueFull
from lampwork.insights import Insights

from ..support import eventually, result, row, rows
from .conftest import Open

project = Project("queues", max_queued=3)
order: list[str] = []
gate: asyncio.Event


@pytest.fixture(autouse=True)
def _afresh() -> None:
    global gate
    order.clear()
    gate = asyncio.Event()


async def work(name: str) -> str:
    order.append(name)
    await gate.wait()
    return name


@project.recipe()
async def flood(job: Job, name: str) -> str:
    return await job.step(work, name)


@project.recipe()
async def other(job: Job, name: str) -> str:
    return await job.step(work, name)


@project.recipe()
async def spread(job: Job, count: int) -> list[str]:
    await job.step(work, "spread")
    return await job.map(other, [f"{number}" for number in range(count)])


crowd = Project("crowd")
crowd.recipe(name="flood")(flood.fn)
crowd.recipe(name="other")(other.fn)


async def test_a_recipe_that_was_started_many_times_keeps_no_other_waiting(opened: Open) -> None:
    """Each takes its turn, however many of its jobs there are."""
    async with opened(crowd, max_live=1) as app:
        started = [await app.start(crowd.recipes["flood"], name=f"flood {n}") for n in range(20)]
        await eventually(lambda: order)
        started += [await app.start(crowd.recipes["other"], name=f"other {n}") for n in range(2)]
        app._loop.call_soon(gate.set)
        for each in started:
            await result(app, each.job_id)
    assert max(order.index("other 0"), order.index("other 1")) <= 12


async def test_a_project_with_enough_jobs_queued_takes_no_more(opened: Open) -> None:
    async with opened(project, max_live=1) as app:
        running = await app.start(flood, name="running")
        await eventually(lambda: order)
        queued = [await app.start(flood, name=f"{n}", idempotency_key=f"{n}") for n in range(3)]

        with pytest.raises(QueueFull) as caught:
            await app.start(flood, name="more", idempotency_key="more")

        assert (caught.value.status, caught.value.max_queued) == (429, 3)
        assert 'Project "queues" has 3 jobs queued, and takes no more' in caught.value.message
        assert await rows(app, "select count(*) from jobs") == [(4,)]
        # Who asks again for a job that was accepted gets it.
        assert await app.start(flood, name="0", idempotency_key="0") == queued[0]
        app._loop.call_soon(gate.set)
        for each in (running, *queued):
            await result(app, each.job_id)
        assert await app.run(flood, name="more", idempotency_key="more") == "more"


async def test_the_children_of_accepted_jobs_are_never_refused(opened: Open) -> None:
    async with opened(project, max_live=2) as app:
        job = await app.start(spread, count=8)
        app._loop.call_soon(gate.set)
        assert await result(app, job.job_id) == [f"{number}" for number in range(8)]


async def test_a_job_that_waits_for_room_is_shown_as_queued(opened: Open) -> None:
    async with opened(project, max_live=1) as app:
        first = await app.start(flood, name="first")
        await eventually(lambda: order)
        second = await app.start(other, name="second")
        assert (await row(app, second.job_id)).status == "queued"
        assert (await Insights(app.store).view(second.job_id)).waiting_on == ()
        app._loop.call_soon(gate.set)
        assert [await result(app, each.job_id) for each in (first, second)] == ["first", "second"]


def test_a_project_that_would_take_no_job_is_refused() -> None:
    with pytest.raises(ProjectError, match="would let no job be started"):
        Project("none", max_queued=0)
