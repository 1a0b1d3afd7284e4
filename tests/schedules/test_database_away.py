"""A database that is away is no outcome of a job: what it refused is done again, never lost."""

from __future__ import annotations

import threading

import pytest
from tests.support import (
    armed,
    away,
    clerk,
    end_run,
    eventually,
    opened,
    refused,
    result,
    rows,
    status,
)

from lampwork import Job
from lampwork.errors import StoreUnavailable
from lampwork.store.jobs import calls, endings, jobs

happened: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_happened() -> None:
    happened.clear()


def note(what: str) -> None:
    happened.append(what)


def number() -> int:
    happened.append("number")
    return 1


async def double(job: Job, item: int) -> int:
    return item * 2


@pytest.fixture
def errand(project):
    """A recipe with one of everything that writes."""

    @project.skill(effect="idempotent")
    def look() -> str:
        """Look."""
        return "seen"

    genie = clerk(project, look)

    @project.recipe()
    async def errand(job: Job) -> str:
        job.on_end(note, "ended")
        first = await job.step(number)
        doubled = await job.map(double, [first, 2], limit=1)
        task = await job.assign_task(genie, "Look.")
        await job.sleep(0)
        return f"{doubled} {task.response}"

    return errand


async def test_whichever_commit_is_refused_the_job_comes_to_its_result(project, home, errand):
    """*Run raises because the database is away*: no job may end by it, none may stay behind.
    "An infrastructure error is no outcome either: the job is woken after a backoff." """
    async with opened(project, home, sweep_interval=0.1) as app:
        refused, nth, accepted = True, 0, 0
        while refused:
            nth += 1
            refused, left = False, nth

            def refuse_one() -> None:
                nonlocal left, refused
                left -= 1
                if left == 0:
                    refused = True
                    away()

            with armed("store.before_commit", refuse_one):
                try:
                    job_id = (await app.start(errand)).job_id
                except StoreUnavailable:
                    continue
                accepted += 1
                assert await result(app, job_id) == "[2, 4] done"
        assert accepted > 12
        ends = "select count(*) from jobs where detached"
        await eventually(lambda: happened.count("ended") >= accepted)
        assert await rows(app, ends) == [(accepted,)]


async def test_a_commit_whose_answer_was_lost_is_read_back_and_doubles_nothing(
    project, home, errand
):
    """*A commit whose answer was lost*: read back, nothing doubled. Here, every one is lost."""
    async with opened(project, home) as app:
        with armed("store.after_commit", away):
            job_id = (await app.start(errand)).job_id
            assert await result(app, job_id) == "[2, 4] done"
            await eventually(lambda: "ended" in happened)
        assert happened == ["number", "ended"]
        assert await rows(app, "select max(epoch), count(*) from tasks") == [(1, 1)]


async def test_an_outcome_whose_publication_was_refused_is_published_later(project, home):
    """The engine has the outcome on record; then our own database does not take the job's end."""

    @project.recipe()
    async def quick(job: Job) -> str:
        return "done"

    async with opened(project, home) as app:
        with refused(endings, "finish"):
            job_id = (await app.start(quick)).job_id
            assert await result(app, job_id) == "done"


async def test_an_at_most_once_step_does_not_start_before_its_intent_is_on_disk(project, home):
    """The intent's commit is refused, the step runs all the same; after the crash nobody knows
    that it was begun, and it runs a second time."""
    begun: list[str] = []
    gate = threading.Event()

    def pay() -> None:
        begun.append("pay")
        gate.wait(60)

    @project.recipe()
    async def payer(job: Job) -> str:
        await job.step(number)
        await job.options(effect="at_most_once").step(pay)
        return "paid"

    try:
        async with opened(project, home, grace=0) as app:
            with refused(calls, "begin"):
                job_id = (await app.start(payer)).job_id
                await eventually(lambda: begun)
            await end_run(app, job_id)
        async with opened(project, home) as app:
            await status(app, job_id, "needs_attention")
            assert begun == ["pay"]
    finally:
        gate.set()


async def test_what_is_to_run_at_the_end_is_not_lost_with_a_refused_batch(project, home):
    """`on_end` returns at once; its row is in a batch that the database refuses; the step after it
    is recorded, and no replay registers it again."""

    @project.recipe()
    async def tidy(job: Job) -> str:
        job.on_end(note, "ended")
        await job.step(number)
        return "done"

    async with opened(project, home) as app:
        with refused(endings, "register_end"):
            job_id = (await app.start(tidy)).job_id
            assert await result(app, job_id) == "done"
        await eventually(lambda: "ended" in happened)


async def test_a_child_that_cannot_be_read_is_not_a_child_that_failed(project, home, monkeypatch):
    """The child has succeeded; the query for how it ended raises `database is locked`."""

    @project.recipe()
    async def child(job: Job) -> str:
        return "well"

    @project.recipe()
    async def parent(job: Job) -> str:
        return await job.call(child)

    get, refused = jobs.get, []

    def away_once(connection, job_id):
        row = get(connection, job_id)
        if job_id.endswith(".1") and row.status == "succeeded" and not refused:
            refused.append(job_id)
            away()
        return row

    monkeypatch.setattr(jobs, "get", away_once)
    async with opened(project, home) as app:
        job_id = (await app.start(parent)).job_id
        assert await result(app, job_id) == "well"
        assert refused


async def test_a_large_result_that_could_not_be_stored_is_no_failure_of_its_step(project, home):
    """The step has its result; the blob's commit is refused; the engine records an exception as
    what the step gave, for ever."""
    made: list[int] = []

    def large() -> str:
        made.append(1)
        return "x" * 300_000

    @project.recipe()
    async def payer(job: Job) -> int:
        return len(await job.step(large))

    async with opened(project, home) as app:
        with refused(calls, "finish"):
            job_id = (await app.start(payer)).job_id
            assert await result(app, job_id) == 300_000
        assert len(made) == 2
