"""`gather` runs calls of one job side by side; `map` makes a child job of each item."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lampwork import Job, Project
from lampwork.errors import BranchesFailed, CallInterrupted, JobFailed, NotImportable, UnknownCall

from .conftest import Open

project = Project("side-by-side")


def double(number: int) -> int:
    if number == 13:
        raise ValueError("unlucky")
    return 2 * number


async def quadruple(job: Job, number: int) -> int:
    return await job.step(double, await job.step(double, number))


@project.recipe()
async def double_two(job: Job, first: int, second: int) -> list[int]:
    return await job.gather(job.step(double, first), job.step(double, second))


@project.recipe()
async def double_or_say(job: Job, numbers: list[int]) -> list[str]:
    branches = [job.step(double, number) for number in numbers]
    return [str(each) for each in await job.gather(*branches, on_error="collect")]


@project.recipe()
async def quadruple_all(job: Job, numbers: list[int], limit: int) -> list[int]:
    return await job.map(quadruple, numbers, limit=limit)


@project.recipe()
async def quadruple_or_name(job: Job, numbers: list[int]) -> dict[str, str]:
    try:
        await job.map(quadruple, numbers)
    except BranchesFailed as failed:
        return {str(position): error.message for position, error in failed.errors.items()}
    return {}


@project.recipe()
async def call_quadruple_all(job: Job) -> list[int]:
    return await job.call(quadruple_all, [1, 2], limit=1)


async def test_branches_of_a_gather_give_their_values_in_order(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(double_two, first=1, second=2) == [2, 4]


async def test_all_branches_settle_before_the_errors_are_raised_together(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed) as caught:
            await app.run(double_two, first=13, second=13)
    assert caught.value.error["code"] == "branches_failed"
    assert list(caught.value.error["fields"]["errors"]) == ["0", "1"]


async def test_errors_can_be_collected_in_place(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(double_or_say, numbers=[1, 13]) == [
            "2",
            "step double raised ValueError: unlucky",
        ]


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_a_map_gives_its_results_in_order_whatever_its_limit(
    opened: Open, limit: int
) -> None:
    async with opened(project) as app:
        result = await app.run(quadruple_all, numbers=list(range(10)), limit=limit)
    assert result == [4 * number for number in range(10)]


async def test_a_map_of_nothing_is_empty(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(quadruple_all, numbers=[], limit=1) == []


async def test_one_failed_item_does_not_stop_the_others(opened: Open) -> None:
    async with opened(project) as app:
        errors = await app.run(quadruple_or_name, numbers=[1, 13, 2])
    assert list(errors) == ["1"]
    assert "unlucky" in errors["1"]


async def test_a_recipe_calls_another_one(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(call_quadruple_all) == [4, 8]


@project.recipe()
async def misuse(job: Job, how: str) -> str:
    async def call_inside() -> None:
        await job.step(double, 1)

    try:
        match how:
            case "create_task":
                await asyncio.create_task(call_inside())
            case "asyncio.gather":
                await asyncio.gather(job.step(double, 1), job.step(double, 2))
            case "inside a step":
                await job.step(call_inside)
            case "gather a coroutine":
                inside = call_inside()
                try:
                    await job.gather(inside)  # type: ignore[arg-type]  # the misuse
                finally:
                    inside.close()
            case "a lambda under map":
                await job.map(lambda job, number: quadruple(job, number), [1])
            case "awaited twice":
                call = job.step(double, 1)
                await call
                await call
    except (UnknownCall, NotImportable) as error:
        return error.code
    except Exception as error:
        return str(error)
    return "accepted"


@pytest.mark.parametrize(
    ("how", "refusal"),
    [
        ("create_task", "unknown_call"),
        ("asyncio.gather", "unknown_call"),
        ("inside a step", "unknown_call"),
        ("gather a coroutine", "unknown_call"),
        ("a lambda under map", "not_importable"),
        ("awaited twice", "unknown_call"),
    ],
)
async def test_calls_whose_order_could_change_are_refused(
    opened: Open, how: str, refusal: str
) -> None:
    async with opened(project) as app:
        assert await app.run(misuse, how=how) == refusal


@project.recipe()
async def time_out(job: Job) -> None:
    async with asyncio.timeout(0.01):
        await job.wait_for("never")


async def test_a_call_cannot_be_cancelled_from_outside(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed) as caught:
            await app.run(time_out)
    assert caught.value.error["code"] == CallInterrupted.code


@project.recipe()
async def forget(job: Job) -> int:
    job.step(double, 1)
    return 1


async def test_a_call_that_was_never_awaited_fails_its_job(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed, match="step double: made and never awaited") as caught:
            await app.run(forget)
    assert caught.value.error["code"] == UnknownCall.code


entered = threading.Event()
gate = threading.Event()


async def hold_a_thread() -> None:
    entered.set()
    await asyncio.to_thread(gate.wait, 30)


@project.recipe()
async def hold(job: Job) -> None:
    await job.step(hold_a_thread)


async def test_a_step_that_holds_a_thread_stops_nobody_else(opened: Open) -> None:
    entered.clear()
    gate.clear()
    async with opened(project) as app:
        holding = await app.start(hold)
        assert await asyncio.to_thread(entered.wait, 60)
        try:
            assert await asyncio.wait_for(app.run(double_two, first=1, second=2), 60) == [2, 4]
        finally:
            gate.set()
        await app.result(holding.job_id)
