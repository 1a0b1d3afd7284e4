"""Tasks under one `gather`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks import records
from benchmarks.systems import Place
from benchmarks.work import FAN_TURNS, MODEL_SECONDS
from lampwork import Answer, Call, Job, Project, Turn, playbook

project = Project("fan")


@playbook
async def slow(turn: Turn) -> Call | Answer:
    """Looks something up twice, then says so."""
    await asyncio.sleep(MODEL_SECONDS)
    number = len(turn.results)
    return Call("look_up", number=number) if number < FAN_TURNS - 1 else Answer("done")


@project.skill(effect="read")
async def look_up(number: int) -> str:
    """Look something up."""
    return f"found {number}"


clerk = project.genie("clerk", model=slow, job_description="Look up.", skills=[look_up])


@project.recipe()
async def recipe(job: Job, tasks: int) -> list[str]:
    answers = await job.gather(*(job.assign_task(clerk, "Look up.") for _ in range(tasks)))
    return [answer.response for answer in answers]


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Callable[[int], Awaitable[list[str]]]]:
    async with project.open(settings=records.settings(place)) as app:

        async def fan(tasks: int) -> list[str]:
            return await app.run(recipe, tasks=tasks)

        yield fan
