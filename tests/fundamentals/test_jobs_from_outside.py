"""Jobs are started once per key, cancelled with all that is below them, and say how they ended."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lampwork import App, Job, LampworkError, Project
from lampwork.errors import (
    DatabaseTooNew,
    FolderInUse,
    FolderNotWritable,
    IdempotencyConflict,
    InputInvalid,
    JobEnded,
    JobFailed,
    JobNotFound,
    WaitNotFound,
)
from lampwork.store.jobs import jobs

from .conftest import Open

project = Project("outside")


@project.recipe()
async def add(job: Job, first: int, second: int) -> int:
    return first + second


async def wait_for_ever(job: Job, item: int) -> int:
    job.on_end(write_down, str(item))
    return await job.wait_for("never", int)


ended: list[str] = []


def write_down(item: str) -> None:
    ended.append(item)


@project.recipe()
async def wait_for_all(job: Job, items: list[int]) -> list[int]:
    return await job.map(wait_for_ever, items)


@project.recipe()
async def start_and_leave(job: Job) -> str:
    started = await job.start(add, 1, 2)
    return started.job_id


async def test_the_same_key_leads_to_the_same_job(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.start(add, idempotency_key="order 7", first=1, second=2)
        again = await app.start(add, idempotency_key="order 7", first=1, second=2)
        other = await app.start(add, idempotency_key="order 8", first=1, second=2)
        assert first == again != other
        with pytest.raises(IdempotencyConflict) as caught:
            await app.start(add, idempotency_key="order 7", first=1, second=3)
        assert caught.value.job_id == first.job_id
        assert await app.result(first.job_id) == 3


async def status_of(app: App, job_id: str) -> str:
    try:
        return (await app.store.read(jobs.get, job_id)).status
    except JobNotFound:
        return "absent"


async def until_status(app: App, job_id: str, status: str) -> None:
    async with asyncio.timeout(60):
        while await status_of(app, job_id) != status:  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.mark.parametrize("park_after", [0.0, 60.0], ids=["parked", "hot"])
async def test_cancelling_a_job_cancels_all_below_it_and_runs_their_ends(
    opened: Open, park_after: float
) -> None:
    ended.clear()
    async with opened(project, park_after=park_after) as app:
        job = await app.start(wait_for_all, items=[1, 2])
        children = [f"{job.job_id}.1.{position}" for position in range(2)]
        for child in children:
            await until_status(app, child, "suspended")
        await app.cancel(job.job_id)
        for each in (job.job_id, *children):
            await until_status(app, each, "cancelled")
        for child in children:
            await until_status(app, f"{child}.0.1", "succeeded")
        with pytest.raises(JobFailed, match="cancelled"):
            await app.result(job.job_id)
        with pytest.raises(JobEnded):
            await app.cancel(job.job_id)
    assert sorted(ended) == ["1", "2"]


async def test_a_started_job_is_not_waited_for(opened: Open) -> None:
    async with opened(project) as app:
        child = await app.run(start_and_leave)
        assert await app.result(child) == 3


async def test_unknown_jobs_are_named(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobNotFound, match="There is no job j0"):
            await app.result("j0")
        with pytest.raises(JobNotFound):
            await app.cancel("j0")


async def test_one_process_executes_a_folder_and_a_process_one_project(opened: Open) -> None:
    async with opened(project):
        with pytest.raises(FolderInUse, match="has a project open already"):
            async with opened(project):
                pass


@pytest.mark.folder
async def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FolderNotWritable, match="LAMPWORK_HOME"):
        async with project.open(tmp_path / "file" / "state"):
            pass


@pytest.mark.folder
async def test_a_database_from_a_newer_version_is_refused_and_left_alone(
    opened: Open, tmp_path: Path
) -> None:
    async with opened(project):
        pass
    with sqlite3.connect(tmp_path / "state" / "lampwork.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = (tmp_path / "state" / "lampwork.db").read_bytes()
    with pytest.raises(DatabaseTooNew, match="revision 9999"):
        async with opened(project):
            pass
    assert (tmp_path / "state" / "lampwork.db").read_bytes() == before


def test_a_script_runs_a_recipe_without_an_event_loop(tmp_path: Path) -> None:
    assert project.run(add, home=tmp_path, first=1, second=2) == 3


neighbour = Project("neighbour")


@neighbour.recipe()
async def greet(job: Job) -> str:
    return await job.wait_for("name", str)


async def test_projects_may_share_a_folder_and_leave_each_others_jobs_alone(opened: Open) -> None:
    async with opened(neighbour) as app:
        theirs = await app.start(greet)
        await until_status(app, theirs.job_id, "suspended")
    async with opened(project) as app:
        assert await app.run(add, first=1, second=2) == 3
        await app.send_event(theirs.job_id, "name", "Ada")
        assert await status_of(app, theirs.job_id) == "suspended"
    async with opened(neighbour) as app:
        assert await app.result(theirs.job_id) == "Ada"


SCRIPT = """
import sys
from lampwork import Job, Project

project = Project("script")

async def double(job: Job, number: int) -> int:
    return 2 * number

@project.recipe()
async def double_all(job: Job) -> list[int]:
    return await job.map(double, [1, 2])

if __name__ == "__main__":
    print(project.run(double_all, home=sys.argv[1]))
"""


@pytest.mark.folder
def test_a_script_maps_its_own_functions_under_a_name_that_others_can_import(
    tmp_path: Path,
) -> None:
    (tmp_path / "chores.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "chores.py"), str(tmp_path / "state")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.stdout == "[2, 4]\n", ran.stderr
    with sqlite3.connect(tmp_path / "state" / "lampwork.db") as database:
        names = database.execute("SELECT DISTINCT callable FROM jobs ORDER BY 1").fetchall()
    assert names == [("chores:double",), ("double_all",)]


@project.recipe
async def bare(job: Job) -> str:
    return job.id


async def test_a_job_is_named_by_its_id_or_by_what_start_returned(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(bare)
        assert job.job_id == job
        assert await app.result(job) == await app.result(job.job_id) == job


async def without_job(job, item: int) -> int:  # type: ignore[no-untyped-def]
    return item


@project.recipe()
async def misused(job: Job, how: str) -> str:
    try:
        match how:
            case "map":
                await job.map(without_job, [1])
            case "call":
                await job.call(write_down, "1")  # type: ignore[arg-type]
            case _:
                await job.assign_task("nobody", "Do it.")
    except LampworkError as error:
        return error.message
    return "accepted"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("map", "annotate its first parameter as `job: Job`"),
        ("call", "takes a recipe"),
        ("assign", 'has no genie "nobody"'),
    ],
)
async def test_misused_calls_say_what_to_do(opened: Open, how: str, said: str) -> None:
    async with opened(project) as app:
        assert said in await app.run(misused, how=how)


@project.recipe()
async def note(job: Job, text: str) -> str:
    return text + await job.wait_for("more", str)


async def test_a_text_that_can_not_be_written_down_is_refused_and_changes_nothing(
    opened: Open,
) -> None:
    half = "half a pair: \ud800"
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match="surrogates not allowed"):
            await app.start_named("note", {"text": half}, kind="api")
        job = await app.start(note, text="a")
        with pytest.raises(InputInvalid, match="Nothing was changed"):
            await app.send_event(job.job_id, "more", half)
        for decide in (app.reject, app.confirm):
            with pytest.raises((InputInvalid, WaitNotFound)):
                await decide("w0.1", by=half, digest="")
        with pytest.raises(InputInvalid, match="Nothing was changed"):
            await app.reject("w0.1", by="ann", digest="", reason=half)
        with pytest.raises(InputInvalid, match="Nothing was changed"):
            await app.resolve("w0.1", "fail", by="ann", reason=half)
        await app.send_event(job.job_id, "more", "b")
        assert await app.result(job.job_id) == "ab"
