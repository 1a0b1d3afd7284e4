"""A recipe of two steps, whose jobs readers of live hints hear of."""

from __future__ import annotations

from lampwork import Job, Project

project = Project("hinted")


def plus_one(number: int) -> int:
    return number + 1


@project.recipe()
async def count(job: Job, number: int) -> int:
    return await job.step(plus_one, await job.step(plus_one, number))
