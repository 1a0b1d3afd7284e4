"""A process that works under limits, to be killed: `python -m tests.crash.limited HOME`.

A line for each model call that begins, `+ task`, and for each that ends, `- task`; then `done`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from lampwork import Answer, Job, Project, Settings, Turn, playbook

TASKS = 12
MOST = 3

project = Project("limited")


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


@playbook
async def slow(turn: Turn) -> Answer:
    say(f"+ {turn.instructions}")
    await asyncio.sleep(0.05)
    say(f"- {turn.instructions}")
    return Answer("done")


clerk = project.genie("clerk", model=slow, job_description="You help.", max_concurrent_tasks=MOST)


@project.recipe(concurrency=2)
async def pair(job: Job, number: int) -> None:
    tasks = [job.assign_task(clerk, f"{number}.{each}") for each in range(2)]
    await job.gather(*tasks)


@project.recipe(concurrency=1, ordered=True)
async def one(job: Job, number: int) -> None:
    await job.assign_task(clerk, f"one {number}")


async def main(home: str) -> None:
    settings = Settings(home=Path(home), park_after=0.02, sweep_interval=0.3)
    async with project.open(settings=settings) as app:
        jobs = [await app.start(pair, number=n, idempotency_key=f"p{n}") for n in range(TASKS // 2)]
        jobs += [await app.start(one, number=n, idempotency_key=f"o{n}") for n in range(TASKS // 2)]
        for each in jobs:
            await app.result(each.job_id)
    say("done")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
