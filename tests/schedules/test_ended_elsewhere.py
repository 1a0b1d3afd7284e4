"""Who waits for a job hears of its end, whichever process has ended it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.support import opened, park

from lampwork import Job, app, values
from lampwork.place import Server
from lampwork.store.jobs import endings
from lampwork.store.store import Store

pytestmark = pytest.mark.server


@pytest.fixture
def elsewhere(server: str) -> Iterator[Store]:
    store = Store(Server(server))
    yield store
    store.close()


async def test_a_job_that_was_accepted_here_and_ended_elsewhere_is_heard_of(
    project, home, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
):
    """*It was parked, and another worker woke it: who had started it waited for ever.*"""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    monkeypatch.setattr(app, "_LOOK_FOR_ENDS", 0.02)
    async with opened(project, home) as here:
        job = await here.start(patient)
        await park(here, job.job_id)
        waiting = asyncio.create_task(here.result(job.job_id))
        outcome = values.write(values.Value('"hello"'))
        await elsewhere.write(endings.finish, job.job_id, "succeeded", outcome, None)
        assert await asyncio.wait_for(waiting, 60) == "hello"
