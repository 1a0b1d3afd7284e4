"""When files are taken: once, before their task opens; what came later is another matter."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support import (
    Gate,
    armed,
    dying,
    eventually,
    idle,
    inside,
    once,
    opened,
    park,
    rows,
    sql,
)

from lampwork import Answer, App, File, Job, Project, Turn, playbook
from lampwork.files import reading
from lampwork.files.reads import Read
from lampwork.settings import ReadingCaps
from lampwork.store.tasks import openings
from lampwork.worker.recovery import collect

project = Project("files of tasks")
gates: list[Gate] = []


@playbook
async def reader(turn: Turn) -> Answer:
    """Says what its files say; the task "hold" is held until its gate is opened."""
    if turn.instructions == "hold":
        await gates[0].hold_first()
    return Answer("; ".join(f"{file.name}: {file.text}" for file in turn.files) or "nothing")


clerk = project.genie("clerk", model=reader, job_description="You read.")


@project.recipe()
async def read(job: Job, path: str, conversation: str | None = None) -> str:
    task = await job.assign_task(clerk, "Read.", files=[path], conversation=conversation)
    return task.output


@project.recipe()
async def hold(job: Job) -> str:
    task = await job.assign_task(clerk, "hold")
    return task.conversation_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text("before")
    return path


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was read, in a process of its own."""
    seen: list[bytes] = []
    really = reading.read

    async def read(content: bytes, caps: ReadingCaps) -> Read:
        seen.append(content)
        return await really(content, caps)

    monkeypatch.setattr(reading, "read", read)
    return seen


async def result(app: App, job_id: str) -> str:
    return await asyncio.wait_for(app.result(job_id), 60)


async def test_a_run_that_dies_after_the_opening_leaves_what_was_taken(tmp_path, path, readings):
    def changed() -> None:
        path.write_text("after")
        dying(app)()

    async with opened(project, tmp_path / "home", sweep_interval=0.05) as app:
        with armed("task.opened", once(changed)):
            job = await app.start(read, path=str(path))
            assert await result(app, job.job_id) == "notes.txt: before"
    assert readings == [b"before"]


async def test_a_run_that_dies_before_the_opening_takes_the_file_again(tmp_path, path, readings):
    def changed() -> None:
        path.write_text("after")
        dying(app)()

    async with opened(project, tmp_path / "home", sweep_interval=0.05) as app:
        with armed("call.before", once(changed)):
            job = await app.start(read, path=str(path))
            assert await result(app, job.job_id) == "notes.txt: after"
    assert readings == [b"after"]


@pytest.mark.parametrize("knows", [True, False])
async def test_a_task_in_line_keeps_what_it_came_with(tmp_path, path, monkeypatch, knows):
    """It is told when its turn has come, by another run: the file has changed since.

    That run may have looked for the task's row just before the first one opened it.
    """
    gates[:] = [gate := Gate()]
    async with opened(project, tmp_path / "home") as app:
        first = await app.start(hold)
        await eventually(lambda: gate.passed)
        [[conversation]] = await rows(app, "select id from conversations")
        second = await app.start(read, path=str(path), conversation=conversation)
        await park(app, second.job_id)
        path.write_text("after")
        if not knows:
            monkeypatch.setattr(openings, "files_of", lambda _connection, _task: None)
        gate.open()
        assert await result(app, first.job_id) == conversation
        assert await result(app, second.job_id) == "notes.txt: before"


@project.recipe()
async def patient(job: Job, path: str) -> str:
    task = await job.assign_task(clerk, "Read.", files=[Path(path)], when_paused="wait")
    return task.output


async def test_the_files_of_a_task_that_waits_for_a_paused_genie_are_not_collected(tmp_path, path):
    async with opened(project, tmp_path / "home") as app:
        await app.pause_genie(clerk, by="ann")
        job = await app.start(patient, path=str(path))
        await idle(app, job.job_id)
        await sql(app, "update blobs set put_at = 0")
        assert await inside(app, collect(app.worker)) == 0
        await app.start_genie(clerk, by="ann")
        assert await result(app, job.job_id) == "notes.txt: before"


async def test_a_content_is_read_once_whatever_its_name_and_whoever_gives_it(
    tmp_path, path, readings
):
    files = [[path], [File("again.txt", b"before")], [File("other.txt", b"other")]]
    async with opened(project, tmp_path / "home") as app:
        answers = [await app.assign_task(clerk, "Read.", files=each) for each in files]

    assert [answer.output for answer in answers] == [
        "notes.txt: before",
        "again.txt: before",
        "other.txt: other",
    ]
    assert readings == [b"before", b"other"]


async def test_other_limits_read_anew(tmp_path, path, readings):
    for caps in (ReadingCaps(), ReadingCaps(pages=7)):
        async with opened(project, tmp_path / "home", reading=caps) as app:
            await app.assign_task(clerk, "Read.", files=[path])

    assert readings == [b"before", b"before"]


async def test_a_task_without_files_pays_nothing(tmp_path, readings, monkeypatch):
    """No query more, no process: the count of what the database is asked is the same."""
    asked: list[str] = []
    async with opened(project, tmp_path / "home") as app:
        for name in ("read", "write"):
            really = getattr(app.store, name)

            async def counted(query, *args, really=really, **kwargs):
                asked.append(query.__qualname__)
                return await really(query, *args, **kwargs)

            monkeypatch.setattr(app.store, name, counted)
        await app.assign_task(clerk, "Read.")
        await eventually(lambda: "finish" in asked)

    assert readings == []
    assert not [each for each in asked if "blob" in each or "file" in each or each == "get_all"]
