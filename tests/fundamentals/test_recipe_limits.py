"""How many jobs of a recipe run at a time, and recipes whose jobs run one after the other."""

from __future__ import annotations

import asyncio

import pytest

from lampwork import Answer, Call, Job, Project, Turn, playbook
from lampwork.errors import (
    ConversationBusy,
    JobFailed,
    OrderCycle,
)

from ..support import drained, eventually, idle, park, result, row, status
from .conftest import Open
from .limited import Counter, nobody_has_a_place, open_gate, parked, waits

project = Project("limited")

counter = Counter()


@pytest.fixture(autouse=True)
def _afresh() -> None:
    counter.__init__()


@playbook
async def counting(turn: Turn) -> Answer:
    await counter.work(turn.instructions)
    return Answer(f"did: {turn.instructions}")


free = project.genie("free", model=counting, job_description="You help.")


@project.recipe(concurrency=2)
async def two_at_a_time(job: Job, name: str, event: bool = False) -> str:
    if event:
        await job.wait_for("go", str)
    await job.step(counter.work, name)
    return name


@project.recipe(concurrency=1, ordered=True)
async def in_turn(job: Job, name: str, event: bool = False) -> str:
    await job.step(counter.work, name)
    if event:
        await job.wait_for("go", str)
    if name == "fail":
        raise ValueError(name)
    return name


@project.recipe()
async def map_in_turn(job: Job, count: int) -> list[str]:
    return await job.map(in_turn, [f"{number}" for number in range(count)])


@project.recipe(concurrency=1, ordered=True)
async def call_in_turn(job: Job, levels: int) -> str:
    return await job.call(call_in_turn, levels=levels - 1) if levels else "done"


@project.recipe(concurrency=1, ordered=True)
async def start_in_turn(job: Job) -> str:
    await job.start(start_in_turn_below)
    return "started"


@project.recipe()
async def start_in_turn_below(job: Job) -> str:
    return "done"


@project.recipe(concurrency=1, ordered=True)
async def ping(job: Job, again: bool = True) -> str:
    if again:
        await job.wait_for("go", str)
        return await job.call(pong, again=False)
    return "ping"


@project.recipe(concurrency=1, ordered=True)
async def pong(job: Job, again: bool = True) -> str:
    if again:
        await job.wait_for("go", str)
        return await job.call(ping, again=False)
    return "pong"


@project.recipe(concurrency=1, ordered=True)
async def file_away(job: Job, conversation: str | None = None) -> str:
    """Goes on with a conversation, once it is told to; at once it only files."""
    if conversation is None:
        return "filed"
    await job.wait_for("go", str)
    return (await job.assign_task(free, "Go on.", conversation=conversation)).output


@playbook
def filing(turn: Turn) -> Call | Answer:
    return Answer(str(turn.results[0].value)) if turn.results else Call("file_away")


filer = project.genie("filer", model=filing, job_description="You file.", skills=[file_away])


@project.recipe()
async def file_in(job: Job, conversation: str) -> str:
    return (await job.assign_task(filer, "File it.", conversation=conversation)).output


async def test_so_many_jobs_of_a_recipe_run_at_a_time_and_those_that_wait_do_not_count(
    opened: Open,
) -> None:
    async with opened(project) as app:
        waiting = [await app.start(two_at_a_time, name=f"{n}", event=True) for n in range(3)]
        for each in waiting:
            await eventually(lambda each=each: parked(app, each.job_id))
        counter.gate = asyncio.Event()
        working = [await app.start(two_at_a_time, name=f"w{n}") for n in range(2)]
        await eventually(lambda: counter.now == 2)
        working.append(await app.start(two_at_a_time, name="w2"))
        assert (await row(app, working[2].job_id)).status == "queued"
        [wait] = await waits(app, working[2].job_id)
        assert (wait.kind, wait.what) == (
            "turn",
            "a place among the 2 jobs of two_at_a_time that run at a time, 0 before it",
        )
        await app.send_event(waiting[0].job_id, "go", "on")
        await drained(app)
        assert (await row(app, waiting[0].job_id)).want == "parked"  # no place is free
        open_gate(app, counter)
        assert [await result(app, each.job_id) for each in working] == ["w0", "w1", "w2"]
        assert await result(app, waiting[0].job_id) == "0"
        for each in waiting[1:]:
            await app.send_event(each.job_id, "go", "on")
        assert [await result(app, each.job_id) for each in waiting[1:]] == ["1", "2"]
        assert await nobody_has_a_place(app)
    assert counter.most == 2


async def test_a_recipe_that_keeps_order_begins_a_job_when_the_one_before_has_ended(
    opened: Open,
) -> None:
    """Also over what a job waits for, parks, and a restart."""
    async with opened(project) as app:
        jobs = [await app.start(in_turn, name=f"{number}", event=True) for number in range(3)]
        await park(app, jobs[0].job_id)
        assert counter.order == ["0"]
        [wait] = await waits(app, jobs[2].job_id)
        assert (wait.kind, wait.what) == (
            "turn",
            f"its turn among the jobs of in_turn, 2 before it: job {jobs[0]} is first",
        )
        for each in reversed(jobs[1:]):
            await app.send_event(each.job_id, "go", "on")
        await drained(app)
        assert counter.order == ["0"]
    async with opened(project) as app:
        assert [(await row(app, each.job_id)).status for each in jobs[1:]] == ["queued"] * 2
        await app.send_event(jobs[0].job_id, "go", "on")
        assert [await result(app, each.job_id) for each in jobs] == ["0", "1", "2"]
    assert counter.order == ["0", "1", "2"]
    assert counter.most == 1


async def test_order_holds_its_place_for_a_job_that_fails_or_is_cancelled(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.start(in_turn, name="0", event=True)
        second = await app.start(in_turn, name="1", event=True)
        third = await app.start(in_turn, name="fail")
        last = await app.start(in_turn, name="3")
        await idle(app, first.job_id)
        await app.cancel(second.job_id)
        await status(app, second.job_id, "cancelled")
        await app.send_event(first.job_id, "go", "on")
        assert await result(app, last.job_id) == "3"
        assert (await row(app, third.job_id)).status == "failed"
    assert counter.order == ["0", "fail", "3"]


async def test_items_of_a_map_over_a_recipe_that_keeps_order_run_in_their_order(
    opened: Open,
) -> None:
    async with opened(project) as app:
        assert await app.run(map_in_turn, count=12) == [f"{number}" for number in range(12)]
    assert counter.order == [f"{number}" for number in range(12)]


async def test_a_job_that_keeps_order_and_would_wait_for_itself_is_refused(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed) as caught:
            await app.run(call_in_turn, levels=1)
        assert caught.value.error["code"] == OrderCycle.code
        assert caught.value.error["fields"]["recipe"] == "call_in_turn"
        assert "begin after job" in caught.value.message
        assert await app.run(call_in_turn, levels=0) == "done"
        assert await app.run(start_in_turn) == "started"


async def test_recipes_that_keep_order_and_would_wait_for_each_other_are_refused(
    opened: Open,
) -> None:
    """The first of `ping` waits behind the first of `pong`, and that one is not let behind it."""
    async with opened(project) as app:
        jobs = [await app.start(ping), await app.start(pong)]
        for each in jobs:
            await eventually(lambda each=each: app.worker.runs.get(each.job_id))
            await idle(app, each.job_id)
        for each in jobs:
            await app.send_event(each.job_id, "go", "on")
        outcomes = sorted([await app.ended(each.job_id) for each in jobs], key=lambda e: e.status)
        assert [each.status for each in outcomes] == ["failed", "succeeded"]
        assert OrderCycle.code in outcomes[0].outcome


async def test_a_task_that_would_wait_for_itself_by_way_of_an_order_is_refused(
    opened: Open,
) -> None:
    """Its conversation is held by a task that waits for its turn behind this very job."""
    async with opened(project) as app:
        talk = (await app.assign_task(free, "Begin.")).conversation_id
        first = await app.start(file_away, conversation=talk)
        await eventually(lambda: app.worker.runs.get(first.job_id))
        await idle(app, first.job_id)
        holds = await app.start(file_in, conversation=talk)
        await idle(app, holds.job_id)
        await app.send_event(first.job_id, "go", "on")
        with pytest.raises(JobFailed) as caught:
            await result(app, first.job_id)
        assert caught.value.error["code"] == ConversationBusy.code
        assert await result(app, holds.job_id) == "filed"
