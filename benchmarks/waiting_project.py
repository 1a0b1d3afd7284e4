"""Jobs that wait for an event, and the moment at which each went on."""

from __future__ import annotations

import time
from queue import SimpleQueue

from lampwork import Job, Project

project = Project("waiting")
went_on: SimpleQueue[float] = SimpleQueue()
"""`time.perf_counter()` right after a wait, in this process."""


@project.recipe()
async def wait_for_go(job: Job, number: int) -> int:
    go = await job.wait_for("go", type=int)
    went_on.put(time.perf_counter())
    return go
