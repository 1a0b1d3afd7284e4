"""A machine's clock that is set, forwards and back, while jobs wait for a time."""

from __future__ import annotations

import time

from tests.support import idle, inside, opened, result, rows

from lampwork import Job
from lampwork import clock as clocks

HOUR = 3600.0


class Stepping(clocks.Clock):
    """The machine's, set by so many seconds."""

    offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset


async def test_a_clock_that_steps_back_lets_nothing_expire_early_and_nothing_twice(project, home):
    @project.recipe()
    async def sleeper(job: Job) -> str:
        await job.sleep(HOUR / 2)
        return "slept"

    clock = Stepping()
    answers = "select count(*) from inbox"
    with clocks.using(clock):
        async with opened(project, home) as app:
            job_id = (await app.start(sleeper)).job_id
            await idle(app, job_id)
            for hours in (-1.0, 0.0, -24.0, 0.4):
                clock.offset = hours * HOUR
                await inside(app, app.worker.expiry.look())
                assert await rows(app, answers) == [(0,)]
            clock.offset = HOUR
            await inside(app, app.worker.expiry.look())
            assert await result(app, job_id) == "slept"
            clock.offset = -HOUR
            await inside(app, app.worker.expiry.look())
            assert await rows(app, answers) == [(1,)]
