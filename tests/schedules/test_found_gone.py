"""A process that others took for gone, and that is there: it ends its runs and begins anew."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import NEVER, idle, inside, opened, result, rows

from lampwork import Job, app
from lampwork.errors import StoreUnavailable
from lampwork.store import executors

pytestmark = pytest.mark.server


async def test_one_that_cannot_launch_its_engine_tries_again_until_it_can(
    project, home, monkeypatch: pytest.MonkeyPatch
):
    """*The server went away in between: the process was alive, as others saw it, and executed
    nothing any more.*"""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    monkeypatch.setattr(app, "_BEGIN_AGAIN", 0.01)
    async with opened(project, home, heartbeat=NEVER) as here:
        job_id = (await here.start(patient)).job_id
        run = await idle(here, job_id)
        engine, launch = here.worker.engine, here.worker.engine.launch

        def is_away(*_: Any, **__: Any) -> None:
            monkeypatch.setattr(engine, "launch", launch)
            raise StoreUnavailable("The server has gone away.")

        monkeypatch.setattr(engine, "launch", is_away)
        await here.store.write(executors.bury, {here.worker.presence.id: 0})
        await inside(here, here._found_gone())
        assert run.ended == "deposed"
        await here.send_event(job_id, "go", "hello")
        assert await result(here, job_id) == "hello"
        alive = await rows(here, "select id from executors where closed_at is null")
        assert (here.worker.presence.id,) in alive
