"""Limits: how many tasks a genie works on at a time, and who is next.

A task holds its place while it gets on, and not while it waits, so tasks that wait for each other
never stand in each other's way.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from lampwork import Answer, Call, Calls, Job, Project, Turn, playbook
from lampwork.errors import (
    JobFailed,
    ProjectError,
    TaskDeadlineExceeded,
)

from ..support import eventually, idle, park, result, rows, status
from .conftest import Open
from .limited import Counter, Turnstile, in_line, nobody_has_a_place, open_gate, waits

project = Project("limited")


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


@project.skill(effect="read")
async def stare() -> str:
    """Look at it for long."""
    await counter.work("stare")
    return "stared"


@playbook
def doing_both(turn: Turn) -> Calls | Answer:
    if turn.instructions == "both" and not turn.results:
        return Calls(Call("send"), Call("stare"))
    return Answer(", ".join(str(each.value) for each in turn.results) or "nothing")


starer = project.genie(
    "starer",
    model=doing_both,
    job_description="You do.",
    skills=[send, stare],
    max_concurrent_tasks=1,
)
free = project.genie("free", model=counting, job_description="You help.")


@project.recipe()
async def order(job: Job, what: str) -> str:
    return (await job.assign_task(sender, what)).output


@project.recipe()
async def order_both(job: Job, what: str) -> str:
    return (await job.assign_task(starer, what)).output


@project.recipe()
async def ask_soon(job: Job, seconds: float) -> str:
    return (await job.assign_task(clerk, "soon", deadline=seconds)).output


# --- tasks of a genie ---


async def test_a_genie_works_on_so_many_tasks_at_a_time_and_first_on_those_that_came_first(
    opened: Open,
) -> None:
    gate = counter.gate = Turnstile(0)
    async with opened(project) as app:
        job = await app.start(ask_all, count=12)
        await eventually(lambda: in_line(app, 10))
        await eventually(lambda: counter.now == 2)
        came = [holder for (holder,) in await rows(app, "select holder from places order by id")]
        for begun in range(2, 12):  # whoever of the two ends, the next one is the first in line
            app._loop.call_soon(gate.release)
            await eventually(lambda begun=begun: len(counter.order) > begun)
        for _ in range(2):
            app._loop.call_soon(gate.release)
        assert await result(app, job.job_id) == [f"did: {number:02}" for number in range(12)]
        assert await nobody_has_a_place(app)
    assert counter.most == 2
    numbers = [f"{int(holder.rpartition('.')[2]) - 1:02}" for holder in came]
    assert sorted(counter.order[:2]) == sorted(numbers[:2])  # side by side
    assert counter.order[2:] == numbers[2:]


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
        open_gate(app, counter)
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


async def test_a_place_is_free_when_what_acted_beside_a_wait_has_ended(opened: Open) -> None:
    counter.gate = asyncio.Event()
    async with opened(project) as app:
        asked = await app.start(order_both, what="both")

        async def both_begun() -> list[tuple[str]]:
            found = await rows(app, "select id from waits where kind = 'resolution'")
            return found if "stare" in counter.order else []

        [(wait,)] = await eventually(both_begun)
        beside = await app.start(order_both, what="nothing")
        await eventually(lambda: in_line(app, 1))
        open_gate(app, counter)
        assert await result(app, beside.job_id) == "nothing"
        await app.resolve(wait, "did_not_happen", by="ann")
        assert await result(app, asked.job_id) == "sent, stared"
        assert await nobody_has_a_place(app)


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
        open_gate(app, counter)
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
        open_gate(app, counter)
        assert await result(app, waiting[1].job_id) == "did: 3"
        assert await result(app, first[1].job_id) == "did: 1"
        assert await nobody_has_a_place(app)
    assert sorted(counter.order) == ["0", "1", "3"]


@pytest.mark.parametrize("while_parked", [True, False])
async def test_a_limit_that_is_raised_lets_those_in_who_wait(
    opened: Open, while_parked: bool
) -> None:
    """The code that began to execute last says what the limits are."""
    counter.gate = asyncio.Event()
    async with opened(project, grace=0.0) as app:
        jobs = [await app.start(ask, what=f"{number}") for number in range(2)]
        await eventually(lambda: counter.now == 2)
        jobs.append(await app.start(ask, what="2"))
        await eventually(lambda: in_line(app, 1))
        if while_parked:
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
        open_gate(app, counter)
        assert [await result(app, each.job_id) for each in jobs] == ["did: 0", "did: 1", "did: 2"]
        assert await rows(app, "select id from waits where not answered") == []


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
