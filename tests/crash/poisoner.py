"""A process with one job that kills it and two hundred that do no harm.

`python -m tests.crash.poisoner FOLDER` ends when all that can has come to its end; it prints how
the jobs stand.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lampwork import Job, Project, Settings

NEIGHBOURS = 200

project = Project("poisoner")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def work(home: str, number: int) -> int:
    with (Path(home) / "done").open("a") as file:
        file.write(f"{number}\n")
    return number


@project.recipe()
async def deadly(job: Job) -> None:
    await job.step(kill)


@project.recipe()
async def neighbour(job: Job, number: int) -> int:
    first = await job.step(work, sys.argv[1], number)
    await job.sleep(0.02)
    return first + await job.step(work, sys.argv[1], number)


async def main(home: str) -> None:
    settings = Settings.load(home=home, sweep_interval=0.1)
    async with project.open(settings=settings) as app:
        async with asyncio.TaskGroup() as group:
            group.create_task(app.start(deadly, idempotency_key="deadly"))
            for n in range(NEIGHBOURS):
                group.create_task(app.start(neighbour, idempotency_key=str(n), number=n))
        counted = "select callable, status, count(*), max(crashes) from jobs group by 1, 2"
        ends = {"succeeded", "failed", "needs_attention"}
        standing: list[Any] = []
        while not standing or {status for _, status, *_ in standing} - ends:
            await asyncio.sleep(0.02)
            standing = await app.store.read(
                lambda each: list(map(list, each.execute(sa.text(counted))))
            )
        os.write(1, json.dumps(sorted(standing)).encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
