"""Limits: how many tasks a genie works on at a time, how many jobs of a recipe run, in what order.

A task holds its place while it gets on, and not while it waits, so tasks that wait for each other
never stand in each other's way.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from lampwork import Answer, App, Call, Job, Project, Turn, playbook
from lampwork.errors import (
    ConversationBusy,
    JobFailed,
    OrderCycle,
    ProjectError,
    TaskDeadlineExceeded,
)
from lampwork.insights import Insights, WaitingOn

from ..support import drained, eventually, idle, park, result, row, rows, status
from .conftest import Open

project = Project("limited")


class Counter:
    """Who works at once, and the most that ever did."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.order: list[str] = []
        self.gate: asyncio.Event | None = None

    async def work(self, name: str) -> None:
        self.order.append(name)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.gate is not None:
                await self.gate.wait()
            else:
                await asyncio.sleep(0)
        finally:
            self.now -= 1


counter = Counter()


@pytest.fixture(autouse=True)
def _afresh() -> None:
    counter.__init__()


@playbook
async def counting(turn: Turn) -> Answer:
    await counter.work(turn.instructions)
    return Answer(f"did: {turn.instructions}")


clerk = project.genie("clerk", model=counting, job_description="You help.", max_concurrent_tasks=2)


@project.recipe()
async def ask(job: Job, what: str) -> str:
    return (await job.assign_task(clerk, what)).output


@project.recipe()
async def ask_all(job: Job, count: int) -> list[str]:
    tasks = [job.assign_task(clerk, f"{number:02}") for number in range(count)]
    return [each.output for each in await job.gather(*tasks)]


@project.recipe(concurrency=1)
async def below(job: Job, path: list[str]) -> str:
    """A task of the first genie of the path; below it, by this recipe, those of the others."""
    if not path:
        return "bottom"
    return (await job.assign_task(diggers[path[0]], "Dig.", data=path)).output


@playbook
async def digging(turn: Turn) -> Call | Answer:
    await counters[turn.data[0]].work(str(turn.data))
    if not turn.results:
        return Call("below", path=turn.data[1:])
    return Answer(str(turn.results[0].value))


counters = {name: Counter() for name in ("one", "two", "three")}
diggers = {
    name: project.genie(
        name, model=digging, job_description="You dig.", skills=[below], max_concurrent_tasks=1
    )
    for name in counters
}


@project.skill()
def send() -> str:
    """Send it."""
    if "sent" not in counter.order:
        counter.order.append("sent")
        raise RuntimeError("nobody knows")
    return "sent"


@project.skill(effect="read")
def look() -> str:
    """Look at it."""
    return "looked"


@playbook
def doing(turn: Turn) -> Call | Answer:
    return Answer(str(turn.results[0].value)) if turn.results else Call(turn.instructions)


sender = project.genie(
    "sender", model=doing, job_description="You do.", skills=[send, look], max_concurrent_tasks=1
)
free = project.genie("free", model=counting, job_description="You help.")


@project.recipe()
async def order(job: Job, what: str) -> str:
    return (await job.assign_task(sender, what)).output


@project.recipe()
async def ask_soon(job: Job, seconds: float) -> str:
    return (await job.assign_task(clerk, "soon", deadline=seconds)).output


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


async def parked(app: App, job_id: str) -> bool:
    return (await row(app, job_id)).want == "parked"


async def waits(app: App, job_id: str) -> tuple[WaitingOn, ...]:
    return (await Insights(app.store).view(job_id)).waiting_on


def open_gate(app: App) -> None:
    assert counter.gate is not None
    app._loop.call_soon(counter.gate.set)


async def in_line(app: App, count: int) -> bool:
    return await rows(app, "select count(*) from places where wait_id is not null") == [(count,)]


async def nobody_has_a_place(app: App) -> bool:
    return await rows(app, "select holder from places") == []


# --- tasks of a genie ---


async def test_a_genie_works_on_so_many_tasks_at_a_time_and_first_on_those_that_came_first(
    opened: Open,
) -> None:
    counter.gate = asyncio.Event()
    async with opened(project) as app:
        job = await app.start(ask_all, count=12)
        await eventually(lambda: in_line(app, 10))
        await eventually(lambda: counter.now == 2)
        came = [holder for (holder,) in await rows(app, "select holder from places order by id")]
        open_gate(app)
        assert await result(app, job.job_id) == [f"did: {number:02}" for number in range(12)]
        assert await nobody_has_a_place(app)
    assert counter.most == 2
    number_of = {holder: f"{int(holder.rpartition('.')[2]) - 1:02}" for holder in came}
    # Two are at work at a time, so one may be a place before its turn.
    for turn, holder in enumerate(came):
        assert abs(counter.order.index(number_of[holder]) - turn) <= 1


async def test_a_task_that_waits_for_a_place_says_so_and_may_be_parked(opened: Open) -> None:
    counter.gate = asyncio.Event()
    async with opened(project) as app:
        first = [await app.start(ask, what=f"{number}") for number in range(2)]
        await eventually(lambda: counter.now == 2)
        third = await app.start(ask, what="third")
        await park(app, third.job_id)
        fourth = await app.start(ask, what="fourth")
        await park(app, fourth.job_id)
        [wait] = await waits(app, fourth.job_id)
        assert (wait.kind, wait.genie, wait.what) == (
            "place",
            "clerk",
            "a place among the 2 tasks that genie clerk works on at a time, 1 before it",
        )
        open_gate(app)
        jobs = [*first, third, fourth]
        assert [await result(app, each.job_id) for each in jobs] == [
            "did: 0",
            "did: 1",
            "did: third",
            "did: fourth",
        ]
        assert await nobody_has_a_place(app)
    assert counter.most == 2


async def test_parents_and_children_of_three_levels_with_one_place_each_never_wait_for_each_other(
    opened: Open,
) -> None:
    """Of the recipe one job runs at a time, and of each genie one task, and they meet crosswise."""
    paths = [list(path) for path in itertools.permutations(counters)]
    async with opened(project) as app:
        jobs = [await app.start(below, path=path) for path in paths]
        assert [await result(app, each.job_id) for each in jobs] == ["bottom"] * len(paths)
        assert await nobody_has_a_place(app)
    assert [each.most for each in counters.values()] == [1, 1, 1]


async def test_a_place_is_free_while_its_task_waits_for_a_person(opened: Open) -> None:
    async with opened(project) as app:
        asked = await app.start(order, what="send")
        run = await idle(app, asked.job_id)
        [wait] = run.waiting_for
        assert await app.run(order, what="look") == "looked"
        await app.resolve(wait, "did_not_happen", by="ann")
        assert await result(app, asked.job_id) == "sent"


async def test_a_task_whose_time_is_up_before_its_turn_ends_and_leaves_the_line(
    opened: Open,
) -> None:
    counter.gate = asyncio.Event()
    async with opened(project) as app:
        first = [await app.start(ask, what=f"{number}") for number in range(2)]
        await eventually(lambda: counter.now == 2)
        late = await app.start(ask_soon, seconds=0.2)
        with pytest.raises(JobFailed) as caught:
            await result(app, late.job_id)
        assert caught.value.error["code"] == TaskDeadlineExceeded.code
        assert await in_line(app, 0)
        open_gate(app)
        assert [await result(app, each.job_id) for each in first] == ["did: 0", "did: 1"]


async def test_a_cancelled_job_leaves_its_places_and_its_turns_to_others(opened: Open) -> None:
    counter.gate = asyncio.Event()
    async with opened(project, grace=0.1) as app:
        first = [await app.start(ask, what=f"{number}") for number in range(2)]
        await eventually(lambda: counter.now == 2)
        waiting = [await app.start(ask, what="2")]
        await eventually(lambda: in_line(app, 1))
        waiting.append(await app.start(ask, what="3"))
        await eventually(lambda: in_line(app, 2))
        await app.cancel(waiting[0].job_id)
        await status(app, waiting[0].job_id, "cancelled")
        await app.cancel(first[0].job_id)
        await eventually(lambda: "3" in counter.order)
        open_gate(app)
        assert await result(app, waiting[1].job_id) == "did: 3"
        assert await result(app, first[1].job_id) == "did: 1"
        assert await nobody_has_a_place(app)
    assert sorted(counter.order) == ["0", "1", "3"]


async def test_a_limit_that_is_raised_lets_those_in_who_wait(opened: Open) -> None:
    """The code that began to execute last says what the limits are."""
    counter.gate = asyncio.Event()
    async with opened(project) as app:
        jobs = [await app.start(ask, what=f"{number}") for number in range(3)]
        await eventually(lambda: counter.now == 2)
        await park(app, jobs[2].job_id)
    counter.__init__()
    counter.gate = asyncio.Event()
    more = Project("limited")
    genie = more.genie("clerk", model=counting, job_description="You help.", max_concurrent_tasks=3)

    @more.recipe(name="ask")
    async def ask_more(job: Job, what: str) -> str:
        return (await job.assign_task(genie, what)).output

    async with opened(more) as app:
        await eventually(lambda: counter.now == 3)
        open_gate(app)
        assert [await result(app, each.job_id) for each in jobs] == ["did: 0", "did: 1", "did: 2"]


async def test_a_genie_without_a_limit_has_no_places(opened: Open) -> None:
    async with opened(project) as app:
        await app.assign_task(free, "Go.")
        assert await nobody_has_a_place(app)


@pytest.mark.parametrize("most", [0, -1, 1.5, True])
def test_a_limit_under_which_nothing_would_be_done_is_refused(most: Any) -> None:
    wrong = Project("wrong")
    with pytest.raises(ProjectError, match="would let it work on no task"):
        wrong.genie("clerk", model=counting, job_description="…", max_concurrent_tasks=most)
    with pytest.raises(ProjectError, match="would let no job of it run"):
        wrong.recipe(name="ask", concurrency=most)(ask.fn)
    with pytest.raises(ProjectError, match="one job at a time"):
        wrong.recipe(name="ask", concurrency=2, ordered=True)(ask.fn)


# --- jobs of a recipe ---


async def test_so_many_jobs_of_a_recipe_run_at_a_time_and_those_that_wait_do_not_count(
    opened: Open,
) -> None:
    async with opened(project) as app:
        waiting = [await app.start(two_at_a_time, name=f"{n}", event=True) for n in range(3)]
        for each in waiting:
            await eventually(lambda each=each: parked(app, each.job_id))
        counter.gate = asyncio.Event()
        working = [await app.start(two_at_a_time, name=f"w{n}") for n in range(3)]
        await eventually(lambda: counter.now == 2)
        assert (await row(app, working[2].job_id)).status == "queued"
        [wait] = await waits(app, working[2].job_id)
        assert (wait.kind, wait.what) == (
            "turn",
            "a place among the 2 jobs of two_at_a_time that run at a time, 0 before it",
        )
        await app.send_event(waiting[0].job_id, "go", "on")
        await drained(app)
        assert (await row(app, waiting[0].job_id)).want == "parked"  # no place is free
        open_gate(app)
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
