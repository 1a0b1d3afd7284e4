"""How the whole is doing: what insights count over all jobs, tasks and processes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.canary import CANARY, everything
from tests.canary import project as mine
from tests.support import Metered, eventually, inside, result, rows, sql, status

from lampwork import Answer, Call, Job, Project, Turn, playbook
from lampwork.door import Door
from lampwork.errors import JobFailed
from lampwork.insights import Insights
from lampwork.views import Operations, Spend, to_json
from lampwork.worker import recovery

from .conftest import Open

project = Project("shop")


@project.skill(effect="read")
def weigh(parcel: str) -> int:
    """Weigh a parcel."""
    return 3


def decide(turn: Turn) -> Call | Answer:
    return Answer("3 kg") if turn.results else Call("weigh", parcel=turn.instructions)


@playbook
def refuses(turn: Turn) -> Answer:
    raise ValueError("no")


metered = Metered(decide, used=(100, 20))
carrier = project.genie("carrier", model=metered, job_description="You carry.", skills=[weigh])
sulker = project.genie("sulker", model=refuses, job_description="You sulk.")


@project.recipe()
async def carry(job: Job, parcel: str) -> str:
    task = await job.assign_task(carrier, parcel)
    await job.wait_for("go")
    return task.response


@project.recipe()
async def sulks(job: Job) -> str:
    return (await job.assign_task(sulker, "Please.")).response


@project.skill()
async def ask_people(job: Job, who: str) -> str:
    """Ask somebody, and wait for the word."""
    return "nobody is there" if who == "nobody" else await job.wait_for("go", str)


@playbook
def asks(turn: Turn) -> Call | Answer:
    return Answer("done") if turn.results else Call("ask_people", who=turn.instructions)


asker = project.genie("asker", model=asks, job_description="You ask.", skills=[ask_people])


@project.recipe()
async def asks_for(job: Job, who: str) -> str:
    return (await job.assign_task(asker, who)).response


def stumble() -> None:
    raise ConnectionError


@project.recipe()
async def stumbles(job: Job) -> None:
    await job.options(effect="at_most_once").step(stumble)


@project.recipe()
async def adds(job: Job) -> int:
    return 1


async def look(app: Any, seconds: float = 3600) -> Operations:
    return await Insights(app.store).operations(seconds=seconds)


async def test_jobs_are_counted_by_status_and_those_that_need_people_are_named(
    opened: Open,
) -> None:
    async with opened(project) as app:
        waiting = await app.start(carry, parcel="a")
        await status(app, waiting.job_id, "suspended")
        stopped = await app.start(stumbles)
        await status(app, stopped.job_id, "needs_attention")
        await app.run(adds)
        await app.run(adds)

        found = await look(app)

    assert found.jobs == {
        "queued": 0,
        "running": 0,
        "suspended": 1,
        "succeeded": 2,
        "failed": 0,
        "cancelled": 0,
        "needs_attention": 1,
    }
    assert [job.job_id for job in found.attention] == [stopped.job_id]
    assert found.oldest_queued_at is None


async def test_the_oldest_queued_job_has_waited_since_it_was_accepted(opened: Open) -> None:
    async with opened(project) as app:
        settings = app.settings
    async with Door.opened(project, settings) as door:  # which executes nothing
        jobs = [await door.start(adds) for _ in range(3)]
        await sql(door, "update jobs set created_at = created_at - 60 where id = :id", id=jobs[1])

        found = await look(door)

    assert found.jobs["queued"] == 3
    assert found.oldest_queued_at is not None
    assert found.at - found.oldest_queued_at >= timedelta(seconds=60)


async def test_what_was_used_is_counted_by_genie_and_model_when_it_was_used(
    opened: Open,
) -> None:
    async with opened(project) as app:
        for parcel in ("a", "b"):
            job = await app.start(carry, parcel=parcel)
            await status(app, job.job_id, "suspended")

        cost = 4 * metered.price().cost(100, 20)
        usage = {
            "requests": 4,
            "input_tokens": 400,
            "output_tokens": 80,
            "cost_nanodollars": cost,
        }
        assert (await look(app)).spend == (
            Spend(project="shop", genie="carrier", model=metered.name, usage=usage),
        )

        # Half of it was used earlier, when the tasks had begun already.
        await sql(app, "update entries set at = at - 7200 where task_id like 't%.1' and seq < 4")
        await sql(app, "update tasks set created_at = created_at - 7200")
        [latest] = (await look(app)).spend
        assert latest.usage["requests"] == 2
        [all_of_it] = (await look(app, 3 * 3600)).spend
        assert all_of_it.usage == usage

        await sql(app, "update tasks set ended_at = ended_at - 7200")
        assert (await look(app)).spend == ()


async def test_what_a_task_uses_is_counted_while_it_is_under_way(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(asks_for, who="ann")
        await status(app, job.job_id, "suspended")
        [so_far] = (await look(app)).spend

        [(asking,)] = await rows(app, "select id from jobs where parent_id is not null")
        await app.send_event(asking, "go", "yes")
        await result(app, job.job_id)
        [in_all] = (await look(app)).spend

    assert (so_far.genie, so_far.usage) == ("asker", {"requests": 1})
    assert in_all.usage == {"requests": 2}


async def test_what_it_has_used_is_the_same_by_its_row_and_by_its_calls(opened: Open) -> None:
    async with opened(project) as app:
        for parcel in ("a", "b"):
            job = await app.start(carry, parcel=parcel)
            await status(app, job.job_id, "suspended")
        await result(app, (await app.start(asks_for, who="nobody")).job_id)
        failed = await app.start(sulks)
        await status(app, failed.job_id, "failed")

        insights = Insights(app.store)
        by_rows = (await look(app)).spend, await insights.usage(days=2)
        models = await rows(app, "select model from tasks")
        await sql(app, "update tasks set model = null")
        by_calls = (await look(app)).spend, await insights.usage(days=2)

    assert by_rows == by_calls
    assert [each.genie for each in by_rows[0]] == ["asker", "carrier"]
    of_rows = [metered.name, metered.name, "playbook:asks", "None"]  # nothing came of the last
    assert sorted(str(model) for (model,) in models) == sorted(of_rows)


async def test_a_process_counts_what_it_does_and_another_one_reads_it(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(carry, parcel="a")
        await status(app, job.job_id, "suspended")
        await app.send_event(job.job_id, "go", None)
        await result(app, job.job_id)
        with pytest.raises(JobFailed):  # who waits for it hears of its end after it was counted
            await app.run(sulks)
        await inside(app, recovery.count(app.worker))

        async with Insights.opened(app.settings.place) as elsewhere:
            [process] = (await elsewhere.operations()).processes

        assert process.executor == app.worker.presence.id
        assert (process.project, process.closed_at) == ("shop", None)
        assert process.jobs_ended == {"succeeded": 1, "failed": 1}
        # Two turns, of which each is written, a result, and the end of the other task.
        assert process.appends == 4
        assert process.model_calls.count == 3
        assert (process.model_tries_again, process.model_failures) == (0, 1)
        assert process.skill_calls.count == 1
        assert process.commits.count <= process.changes
        assert process.commits.p50 is not None
        assert process.commits.p95 is not None
        assert process.commits.p50 <= process.commits.p95


async def test_what_it_counts_is_written_when_there_is_something_new_and_at_its_end(
    opened: Open,
) -> None:
    async def written(app: Any) -> Any:
        [(counters, at)] = await rows(app, "select counters, counted_at from executors")
        return counters, at

    async def unchanged() -> bool:  # once nothing else is written, such as that it has a session
        await inside(app, recovery.count(app.worker))
        first = await written(app)
        await inside(app, recovery.count(app.worker))
        return await written(app) == first

    async with opened(project) as app:
        await app.run(adds)
        await eventually(unchanged, "its own write is nothing new")
        await app.run(adds)
    async with Insights.opened(app.settings.place) as insights:
        [process] = (await insights.operations()).processes

    assert process.jobs_ended == {"succeeded": 2}
    assert process.closed_at is not None


async def test_no_value_of_a_user_is_counted(opened: Open) -> None:
    async with opened(mine) as app:
        await everything(app)
        found = await look(app)

    assert found.spend
    assert CANARY not in str(to_json(found))
