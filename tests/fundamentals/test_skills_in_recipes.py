"""A recipe may call a skill itself: as a step, like the function that it is."""

from __future__ import annotations

from typing import Any

import pytest

from lampwork import Job, Metadata, Project, Retry, SkillCall, testing
from lampwork.errors import JobFailed, StillWaiting

project = Project("margins")
calls: list[str] = []


@pytest.fixture(autouse=True)
def _forget_calls() -> None:
    calls.clear()


@project.skill(effect="read", retry=Retry(attempts=2, delay=0.01))
def find_price(item: str, shop: Metadata[str]) -> int:
    """Find the price of an item."""
    calls.append(f"{item} at {shop}")
    if len(calls) == 1:
        raise ConnectionError
    return 100


@project.skill()
async def order(item: str) -> str:
    """Order an item, once."""
    calls.append(item)
    raise ConnectionError


@project.skill(effect="idempotent")
def wire(cents: int, call: SkillCall) -> str:
    """Wire money."""
    return call.idempotency_key


@project.skill()
async def check_margin(job: Job, item: str) -> int:
    """Check the margin of an item."""
    return await job.step(find_price, item, shop="Emma") - 60


@project.recipe()
async def price(job: Job, item: str) -> int:
    return await job.step(find_price, item, shop="Emma")


@project.recipe()
async def buy(job: Job) -> str:
    return await job.step(order, "pen")


@project.recipe()
async def misused(job: Job, how: str) -> Any:
    given: Any = check_margin
    match how:
        case "step of a recipe":
            return await job.step(given, "pen")
        case "call of a recipe":
            return await job.call(given, "pen")
        case "start of a function":
            given = order
            return await job.start(given, "pen")
        case "call of a function":
            given = ["x" * 1000]
            return await job.call(given)
        case _:
            given = wire
            return await job.step(given, 100)


async def test_a_skill_is_a_step_like_its_function_and_is_tried_again_as_it_says() -> None:
    async with testing.opened(project) as app:
        assert await app.run(price, item="pen") == 100
        [job] = (await app.insights.jobs()).items
        [step] = (await app.insights.job(job.job_id)).calls

    assert calls == ["pen at Emma", "pen at Emma"]
    assert (step.kind, step.name) == ("step", "find_price")


async def test_its_effect_is_its_own() -> None:
    async with testing.opened(project, patience=0.3) as app:
        with pytest.raises(StillWaiting, match="order"):
            await app.run(buy)

    assert calls == ["pen"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("step of a recipe", 'Skill "check_margin" is a recipe'),
        ("call of a recipe", 'takes a recipe, and "check_margin" is a skill. Define it with @proj'),
        ("start of a function", '"order" is a skill. In a recipe, run it with job.step.'),
        ("call of a function", "xxx"),
        ("step with a SkillCall", 'Skill "wire" takes a SkillCall, which only a genie'),
    ],
)
async def test_what_can_not_be_called_so_is_refused_in_one_line(how: str, said: str) -> None:
    async with testing.opened(project) as app:
        with pytest.raises(JobFailed) as raised:
            await app.run(misused, how=how)

    message = raised.value.error["message"]
    assert said in message
    assert len(message) < 280
    assert "\n" not in message
