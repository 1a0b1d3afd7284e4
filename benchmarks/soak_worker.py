"""The process that the soak kills: it executes, starts jobs, and says which were accepted.

`python -m benchmarks.soak_worker HOME`. Its imports done, it says so and takes its orders, a line
of JSON on stdin: `next` number to start, `room` for jobs at once (none: it only executes),
`settings` of the open project. Reports are lines of JSON on stdout, each written after Lampwork has
acknowledged what it says. It lives until it is killed or its stdin is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from benchmarks.soak_project import KINDS, kind_of, project
from lampwork import App, Settings


def say(**report: Any) -> None:
    print(json.dumps(report), flush=True)


async def main(home: str) -> None:
    say(life="imported")
    orders = json.loads(sys.stdin.readline())
    settings = Settings.load(home=home, **orders["settings"])
    async with project.open(settings=settings) as app:
        say(life="open")
        load = asyncio.create_task(start_jobs(app, orders["next"], orders["room"]))
        closed = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        ended, _ = await asyncio.wait({load, closed}, return_when="FIRST_COMPLETED")
        if load in ended:
            await load
        load.cancel()


async def start_jobs(app: App, number: int, room: int) -> None:
    """Start jobs in order of their numbers, for as long as this process lives."""
    free = asyncio.Semaphore(room)

    async def follow(job_id: str) -> None:
        await app.ended(job_id)
        free.release()

    async with asyncio.TaskGroup() as group:
        while True:
            await free.acquire()
            recipe = KINDS[kind_of(number)]
            # The number may have been accepted by a process that was killed before it said so.
            job = await app.start(recipe, idempotency_key=f"number {number}", number=number)
            say(accepted=number, job_id=job.job_id)
            group.create_task(follow(job.job_id))
            number += 1


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
