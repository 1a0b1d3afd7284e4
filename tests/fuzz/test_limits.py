"""Random trees under limits: whatever waits for whatever, all ends, and within the limits."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from lampwork import Answer, Calls, Job, Project, Settings, Turn, playbook
from lampwork import Call as SkillCall
from lampwork.store.jobs import jobs
from lampwork.types import ENDED

from ..support import rows

GENIES = ("ada", "bob", "cleo")
RECIPES = ("free", "narrow", "strict")
DEPTH = 3

Tree = dict[str, Any]
"""A job of a recipe: what its genie is, and the trees below its task, or below itself."""

project = Project("trees")
working: dict[str, int] = {}
most: dict[str, int] = {}


def enter(name: str) -> None:
    working[name] = working.get(name, 0) + 1
    most[name] = max(most.get(name, 0), working[name])


def leave(name: str) -> None:
    working[name] -= 1


@playbook
async def delegating(turn: Turn) -> Calls | Answer:
    name = turn.data["genie"]
    enter(name)
    await asyncio.sleep(0)
    leave(name)
    below = turn.data["below"]
    if turn.results or not below:
        return Answer("done")
    return Calls(*[SkillCall(each["recipe"], tree=each) for each in below])


async def grow(job: Job, tree: Tree) -> str:
    """The tree below one job. What is refused because it would wait for itself is no failure."""
    if tree["genie"] is not None:
        return (await job.assign_task(GENIE[tree["genie"]], "Grow.", data=tree)).output
    calls = [job.call(RECIPE[each["recipe"]], tree=each) for each in tree["below"]]
    await job.gather(*calls, on_error="collect")
    return "done"


@project.recipe()
async def free(job: Job, tree: Tree) -> str:
    """Any number of them."""
    return await grow(job, tree)


@project.recipe(concurrency=1)
async def narrow(job: Job, tree: Tree) -> str:
    """One that gets on at a time."""
    return await grow(job, tree)


@project.recipe(concurrency=1, ordered=True)
async def strict(job: Job, tree: Tree) -> str:
    """One at a time, until it has ended."""
    enter("strict")
    try:
        return await grow(job, tree)
    finally:
        leave("strict")


RECIPE = dict(zip(RECIPES, (free, narrow, strict), strict=True))
GENIE = {
    name: project.genie(
        name,
        model=delegating,
        job_description="You grow.",
        skills=list(RECIPE.values()),
        max_concurrent_tasks=1,
    )
    for name in GENIES
}


def seeded(chance: random.Random, depth: int, genies: tuple[str, ...]) -> Tree:
    """A tree in which no genie stands below itself: that would be refused at once."""
    genie = chance.choice((*genies, None))
    left = tuple(each for each in genies if each != genie)
    width = chance.randint(0, 2) if depth else 0
    return {
        "recipe": chance.choice(RECIPES),
        "genie": genie,
        "below": [seeded(chance, depth - 1, left) for _ in range(width)],
    }


@pytest.mark.parametrize("seed", range(6))
async def test_random_trees_with_one_place_each_all_end_and_stay_within_it(
    seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    working.clear()
    most.clear()
    trees = [seeded(chance, DEPTH, GENIES) for _ in range(8)]
    # No sweep helps: what is to go on must be told.
    settings = Settings(
        home=tmp_path, park_after=chance.choice([0.0, 0.01, 60.0]), sweep_interval=600
    )
    async with project.open(settings=settings) as app:
        started = [await app.start(RECIPE[each["recipe"]], tree=each) for each in trees]
        async with asyncio.timeout(150):
            for each in started:
                await app.ended(each.job_id)
        for each in started:
            row = await app.store.read(jobs.get, each.job_id)
            assert row.status in ENDED
        assert await rows(app, "select id from jobs where ended_at is null") == []
        assert await rows(app, "select holder from places") == []
    assert {name: count for name, count in most.items() if count > 1} == {}
