"""What `on_end` registered runs once when its job has ended, however often the job was replayed."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from tests.support import end_run, eventually, idle, opened, park, result, rows, status

from lampwork import Job
from lampwork.errors import UnknownCall

ended: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_ended() -> None:
    ended.clear()


def note(what: str) -> None:
    ended.append(what)


async def test_ends_are_counted_for_the_job_whatever_handle_they_are_made_through(project, home):
    """`job.options(…)` gives another handle: two counters gave two ends the same number, and the
    second was lost."""

    @project.recipe()
    async def tidy(job: Job) -> str:
        job.on_end(note, "a")
        job.options(timeout=3).on_end(note, "b")
        return "done"

    async with opened(project, home) as app:
        await app.run(tidy)
        await eventually(lambda: sorted(ended) == ["a", "b"])


async def test_an_end_that_is_registered_inside_a_step_is_refused(project, home):
    """A replay does not enter the step, so the ends after it would move up by one."""

    @project.recipe()
    async def tidy(job: Job) -> str:
        def body() -> str:
            try:
                job.on_end(note, "inside")
            except UnknownCall as error:
                return error.code
            return "registered"

        said = await job.step(body)
        await job.wait_for("go")
        job.on_end(note, "outside")
        return said

    async with opened(project, home) as app:
        job_id = (await app.start(tidy)).job_id
        await park(app, job_id)
        await app.send_event(job_id, "go")
        assert await result(app, job_id) == "unknown_call"
        await eventually(lambda: ended)
        assert ended == ["outside"]


async def test_ends_run_once_after_parks_deaths_and_a_cancel(project, home):
    """ "`on_end(fn)` is an importable name with JSON arguments in a row: a cancelled parked job has
    no closures." """

    @project.recipe()
    async def patient(job: Job) -> None:
        job.on_end(note, "first")
        await job.wait_for("a")
        job.on_end(note, "second")
        await job.wait_for("b")

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        await app.send_event(job_id, "a")
        await idle(app, job_id)
        await end_run(app, job_id)
        await park(app, job_id)
        await app.cancel(job_id)
        await status(app, job_id, "cancelled")
        await eventually(lambda: sorted(ended) == ["first", "second"])
        assert await rows(app, "select count(*) from jobs where detached") == [(2,)]


async def test_calls_side_by_side_right_after_an_end_is_registered_all_begin(project, home):
    """Each waited for the registration and took it off the list, which was empty for the second."""

    @project.recipe()
    async def tidy(job: Job) -> list[int]:
        job.on_end(note, "end")
        return list(await job.gather(*[job.step(abs, -n) for n in range(3)]))

    async with opened(project, home) as app:
        assert await app.run(tidy) == [0, 1, 2]
        await eventually(lambda: ended == ["end"])


async def test_who_comes_to_wait_while_an_end_is_told_keeps_nobody_from_hearing_of_it(
    project, home
):
    """*Who waits is in another thread. One that came just then made an end of the telling, and the
    job above was not told any more.*"""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    @project.recipe()
    async def parent(job: Job) -> str:
        return await job.call(patient)

    async with opened(project, home) as app:
        job_id = (await app.start(parent)).job_id
        child = f"{job_id}.1"
        await status(app, child, "suspended")
        waiting, first = app._waiters.setdefault(child, set()), Future[Any]()
        first.add_done_callback(lambda _: waiting.add(Future()))
        gives_up = Future[Any]()
        gives_up.cancel()
        waiting.update((first, gives_up))
        await app.send_event(child, "go", "hello")
        assert await result(app, job_id) == "hello"
