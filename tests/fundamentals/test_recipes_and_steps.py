"""A recipe is a durable async function; what it does outside, it does in steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest

from lampwork import Job, NotDone, Project, Retry
from lampwork.errors import (
    InputInvalid,
    JobFailed,
    NotImportable,
    RecipeNotFound,
    ResultNotRecordable,
    StepFailed,
)
from lampwork.store.jobs import jobs

from .conftest import Open

project = Project("steps")
calls: list[str] = []


@pytest.fixture(autouse=True)
def _forget_calls() -> None:
    calls.clear()


@dataclass
class Order:
    number: int
    due: datetime


def load_order(number: int) -> Order:
    calls.append(f"load {number}")
    return Order(number, datetime(2026, 11, 20))


async def refuse(number: int) -> None:
    raise PermissionError(f"order {number} is closed")


@project.recipe()
async def ship(job: Job, number: int) -> Order:
    """Load an order and ship it."""
    return await job.step(load_order, number)


@project.recipe()
async def ship_closed(job: Job, number: int) -> str:
    try:
        await job.step(refuse, number)
    except StepFailed as error:
        return f"{error.error_type}: {error.details}"
    return "shipped"


@project.recipe()
async def ship_nothing(job: Job) -> None:
    raise LookupError("there is no order")


async def test_a_step_gives_its_value_typed_by_the_functions_annotation(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(ship, number=7) == Order(7, datetime(2026, 11, 20))
    assert calls == ["load 7"]


async def test_what_a_step_raises_surfaces_as_step_failed(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(ship_closed, number=7) == "PermissionError: order 7 is closed"


async def test_an_uncaught_exception_fails_the_job_and_nothing_else(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed) as caught:
            await app.run(ship_nothing)
        assert caught.value.job_status == "failed"
        assert caught.value.error["fields"]["error_type"] == "LookupError"
        row = await app.store.read(jobs.get, caught.value.job_id)
        assert 'raise LookupError("there is no order")' in row.traceback
        assert await app.run(ship, number=8) == Order(8, datetime(2026, 11, 20))


def deep(number: int) -> int:
    return 1 // number


@project.recipe()
async def divide(job: Job) -> int:
    return await job.step(deep, 0)


async def test_the_traceback_of_a_failed_step_is_kept_without_frames_of_ours(
    opened: Open,
) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed) as caught:
            await app.run(divide)
        row = await app.store.read(jobs.get, caught.value.job_id)
    assert "return 1 // number" in row.traceback
    assert "return await job.step(deep, 0)" in row.traceback
    assert "lampwork/step.py" not in row.traceback


def opaque() -> object:
    return object()


def untyped_tuple():  # type: ignore[no-untyped-def]  # what an unannotated function may return
    return (1, 2)


@project.recipe()
async def record_what_cannot_be(job: Job, which: str) -> str:
    function = {"opaque": opaque, "untyped": untyped_tuple}[which]
    try:
        await job.step(function)
    except ResultNotRecordable as error:
        return error.message
    return "recorded"


@pytest.mark.parametrize("which", ["opaque", "untyped"])
async def test_a_result_that_would_not_read_back_the_same_is_refused_at_once(
    opened: Open, which: str
) -> None:
    async with opened(project) as app:
        assert "can't be recorded" in await app.run(record_what_cannot_be, which=which)


@project.recipe()
async def flaky(job: Job, failures: int) -> int:
    def connect() -> int:
        calls.append(job.step_key())
        if len(calls) <= failures:
            raise NotDone("the line was busy")
        return len(calls)

    return await job.options(retry=Retry(attempts=3, delay=0.001)).step(connect)


async def test_a_step_is_tried_again_as_told_each_time_with_the_same_key(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(flaky, failures=2) == 3
    assert len(set(calls)) == 1


@project.recipe()
async def contradict(job: Job) -> str:
    try:
        job.options(retry=Retry(), effect="at_most_once")
    except InputInvalid as error:
        return error.message
    return "accepted"


async def test_retries_of_what_may_happen_only_once_are_refused(opened: Open) -> None:
    async with opened(project) as app:
        assert "twice" in await app.run(contradict)


@project.recipe()
async def the_world(job: Job) -> list[str]:
    return [str(await job.now()), str(await job.uuid()), str(await job.random())]


async def test_time_and_chance_are_recorded(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.run(the_world)
        second = await app.run(the_world)
    assert len(set(first + second)) == 6


async def test_input_that_does_not_fit_starts_no_job(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match="number: missing"):
            await app.start_named("ship", {}, kind="api")
        with pytest.raises(InputInvalid, match="number: Input should be a valid integer"):
            await app.start_named("ship", {"number": "seven"}, kind="api")
        with pytest.raises(InputInvalid, match="colour: there is no such parameter"):
            await app.start_named("ship", {"number": 7, "colour": "red"}, kind="api")
        with pytest.raises(RecipeNotFound, match='Did you mean "ship"'):
            await app.start_named("shop", {}, kind="api")
        with pytest.raises(NotImportable, match="is not in project"):
            await app.start(foreign)
        with pytest.raises(
            InputInvalid,
            match=r"numbr: there is no such parameter\. Did you mean \"number\"\?; number: missing",
        ):
            await app.start(ship, numbr=7)  # pyright: ignore[reportCallIssue]
        for named, said in [
            ("ship", r'"ship" is a name: pass the recipe itself, run\(ship'),
            ("shipp", r'no recipe "shipp"\. Did you mean "ship"'),
            (load_order, r"not load_order\. Decorate it with @project\.recipe\(\)"),
        ]:
            with pytest.raises((InputInvalid, RecipeNotFound), match=said):
                await app.start(named)  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert calls == []


@project.recipe()
async def hasty(job: Job, how: str) -> str:
    call = job.gather(job.step(load_order, 7)) if how == "gather" else job.step(load_order, 7)
    return str(call.number)  # type: ignore[union-attr]  # the misuse


@pytest.mark.parametrize("how", ["gather", "step"])
async def test_what_a_call_gives_is_asked_for_before_it_was_awaited(opened: Open, how: str) -> None:
    async with opened(project) as app:
        with pytest.raises(
            JobFailed, match=f"{how}.* has no number yet: `await` is missing"
        ) as found:
            await app.run(hasty, how)
    assert found.value.error["code"] == "call_not_awaited"
    assert calls == []


def count() -> str:
    return 7  # type: ignore[return-value]  # the misuse


@project.recipe()
async def miscounts(job: Job) -> None:
    await job.step(count)


async def test_a_result_that_is_not_of_its_type_is_named_in_good_english(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed, match="an int is not of its type"):
            await app.run(miscounts)


other = Project("other")


@other.recipe()
async def foreign(job: Job) -> None:
    """A recipe of another project."""
