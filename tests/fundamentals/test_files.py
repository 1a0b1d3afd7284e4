"""Files of a task: taken as they are when it is assigned, read for what they are, shown as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests import documents
from tests.support import park

from lampwork import (
    Answer,
    Artifact,
    Call,
    File,
    Job,
    Model,
    Project,
    ReadingCaps,
    SkillCall,
    Turn,
    playbook,
)
from lampwork.errors import (
    ArtifactNotFound,
    FileRejected,
    InputInvalid,
    LampworkError,
    TooManyFiles,
)
from lampwork.store import blobs, schema

from .conftest import Open

project = Project("files")
asked: list[Turn] = []


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    asked.clear()


@playbook
def reader(turn: Turn) -> Answer:
    """Answers with what it was given."""
    asked.append(turn)
    return Answer("; ".join(f"{file.name}: {file.text}" for file in turn.files))


clerk = project.genie("clerk", model=reader, job_description="You read.")
blind = project.genie(
    "blind",
    model=Model("openai-chat:words", base_url="http://127.0.0.1:9", sees=False),
    job_description="You read.",
)


async def test_a_task_gets_its_files_with_what_they_say(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes")
    async with opened(project) as app:
        answer = await app.assign_task(
            clerk, "Read.", files=[tmp_path / "notes.md", File("po.pdf", documents.pdf("PO-7"))]
        )
        assert answer.output == "notes.md: # Notes; po.pdf: [page 1]\nPO-7\n\n"

    note, order = asked[0].files
    assert (note.media_type, order.media_type) == ("text/markdown", "application/pdf")
    assert len(order.digest) == 64


async def test_ten_files_of_every_kind_are_ten_at_most(opened: Open) -> None:
    files = [File(name, content) for name, content in documents.REAL.items()]
    async with opened(project) as app:
        await app.assign_task(clerk, "Read.", files=files)
        with pytest.raises(TooManyFiles, match="A task takes 10 files at the most, and these are"):
            await app.assign_task(clerk, "Read.", files=[*files, File("more.txt", b"x")])

    assert [(file.name, file.text is None) for file in asked[0].files][6:] == [
        ("chart.png", True),
        ("photo.jpg", True),
        ("logo.gif", True),
        ("scan.webp", True),
    ]
    assert asked[0].files[6].content == documents.REAL["chart.png"]
    assert len(asked) == 1


async def test_a_recipe_is_told_of_a_file_that_is_refused_and_no_model_is_asked(
    opened: Open, tmp_path: Path
) -> None:
    @project.recipe(name="careful")
    async def careful(job: Job, path: str) -> dict[str, str | None]:
        try:
            await job.assign_task(clerk, "Read.", files=[path])
        except FileRejected as error:
            return {"file": error.file, "cap": error.cap, "message": str(error)}
        return {}

    path = tmp_path / "bomb.pdf"
    path.write_bytes(documents.many_pages(501))
    async with opened(project) as app:
        refused = await app.run(careful, path=str(path))

    assert refused == {
        "file": "bomb.pdf",
        "cap": "pages",
        "message": f'File "{path}" is rejected: it has 501 pages, and 500 is the most. '
        "Give a smaller one, or raise ReadingCaps.pages in the Settings.",
    }
    assert asked == []


BOMBS = {
    "bomb.xlsx": documents.zip_bomb(documents.REAL["ledger.xlsx"]),
    "bomb.docx": documents.zip_bomb(documents.REAL["contract.docx"]),
    "laughs.docx": documents.repacked(
        documents.REAL["contract.docx"], "word/document.xml", documents.LAUGHS
    ),
    "bomb.pdf": documents.flate_bomb(),
    "bomb.png": documents.pixel_bomb(),
    "bomb.csv": b"x," * 1_000_001,
    "liar.pdf": b"<!DOCTYPE html><html>Please log in</html>",
    "liar.csv": documents.REAL["chart.png"],
    "program.txt": b"\x7fELF" + bytes(100),
    "empty.txt": b"",
    "secret.pdf": documents.pdf("x", password="secret"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_from_outside_a_bad_file_is_refused_before_a_job_exists(
    name: str, opened: Open
) -> None:
    async with opened(project) as app:
        with pytest.raises(FileRejected) as refused:
            await app.assign(
                clerk, "Read.", files=[File("fine.txt", b"x"), File(name, BOMBS[name])]
            )
        jobs = await app.store.read(lambda db: db.execute(schema.jobs.select()).all())

    assert refused.value.file == name
    assert name in str(refused.value)
    assert jobs == []
    assert asked == []


async def test_what_is_no_file_is_refused_by_name(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_bytes(b"x" * 101)
    caps = ReadingCaps(file_bytes=100)
    for given, why in (
        (tmp_path, "it can't be opened: Is a directory"),
        (tmp_path / "none.txt", "it can't be opened: No such file"),
        (Path("/dev/zero"), "it is no ordinary file"),
        (tmp_path / "large.txt", "it has 101 bytes, and 100 is the most"),
        (File("large.txt", b"x" * 101), "it has 101 bytes, and 100 is the most"),
        ("https://example.com/po.pdf", "the project does not allow files from example.com"),
        (File("x.txt", "text"), "its content is str, not bytes"),  # type: ignore[arg-type]
        (File("../etc/passwd", b"x"), "a name is no path"),
        (File("a\\b", b"x"), "a name is no path"),
        (File("..", b"x"), "a name is no path"),
        (File("", b"x"), "a name is not empty"),
        (File("a\nb.txt", b"x"), "a name has no control characters"),
        (File("fdp.\u202etxt", b"x"), "a name has no control characters"),
        (File("x" * 201, b"x"), "a name has 200 characters at the most"),
    ):
        async with opened(project, reading=caps) as app:
            with pytest.raises(FileRejected, match="is rejected") as refused:
                await app.assign(clerk, "Read.", files=[given])
        assert why in str(refused.value)


async def test_names_are_told_apart_in_one_unicode_form(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(FileRejected, match="another file of the task has that name"):
            await app.assign(clerk, "Read.", files=[File("A.txt", b"1"), File("a.txt", b"2")])
        with pytest.raises(FileRejected, match="another file of the task has that name"):
            await app.assign(
                clerk, "Read.", files=[File("\u00fc.txt", b"1"), File("u\u0308.txt", b"2")]
            )
        answer = await app.assign_task(clerk, "Read.", files=[File("u\u0308.txt", b"1")])
        assert answer.output == "\u00fc.txt: 1"


@pytest.mark.parametrize("given", ["po.pdf", b"x", File("x.txt", b"x"), [7]])
async def test_what_is_no_list_of_files_says_so(given: object, opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match="files= takes"):
            await app.assign(clerk, "Read.", files=given)  # type: ignore[arg-type]


async def test_an_image_is_refused_for_a_model_that_takes_none(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(FileRejected, match="openai-chat:words does not take images"):
            await app.assign(blind, "Look.", files=[File("chart.png", documents.image())])


async def test_the_limits_are_settings(opened: Open) -> None:
    async with opened(project, reading=ReadingCaps(pages=1)) as app:
        with pytest.raises(FileRejected, match="it has 2 pages, and 1 is the most"):
            await app.assign(clerk, "Read.", files=[File("po.pdf", documents.pdf("1", "2"))])


async def test_a_file_is_taken_as_it_is_when_its_job_is_accepted(
    opened: Open, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("before")
    async with opened(project) as app:
        job = await app.assign(clerk, "Read.", files=[path])
        path.write_text("after")
        record = await app.result(job.job_id)

    assert record["output"] == "notes.txt: before"


async def test_a_file_that_has_gone_since_is_no_matter_on_a_replay(
    opened: Open, tmp_path: Path
) -> None:
    @project.recipe(name="patient")
    async def patient(job: Job, path: str) -> str:
        task = await job.assign_task(clerk, "Read.", files=[path])
        await job.wait_for("go")
        return task.output

    path = tmp_path / "notes.txt"
    path.write_text("before")
    async with opened(project) as app:
        job = await app.start(patient, path=str(path))
        await park(app, job.job_id)
    path.unlink()
    async with opened(project) as app:
        await app.send_event(job.job_id, "go")
        assert await app.result(job.job_id) == "notes.txt: before"
    assert len(asked) == 1


async def test_files_of_earlier_tasks_are_there_when_a_conversation_goes_on(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.assign_task(clerk, "Read.", files=[File("a.txt", b"first <b>")])
        await app.assign_task(
            clerk, "Again.", files=[File("b.txt", b"2")], conversation=first.conversation_id
        )

    told = asked[1].history[0]
    assert [(file.name, file.text) for file in told.files] == [("a.txt", "first <b>")]  # type: ignore[union-attr]
    assert [file.name for file in asked[1].files] == ["b.txt"]


@project.skill(effect="read")
async def first_bytes(name: str, call: SkillCall) -> str:
    """How a file begins."""
    return (await call.read_file(name))[:4].decode()


@playbook
def opening(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("first_bytes", name=turn.data)
    return Answer(turn.results[0].value or turn.results[0].error or "")


opener = project.genie(
    "opener", model=opening, job_description="You open files.", skills=[first_bytes]
)


async def test_a_skill_reads_the_files_that_its_conversation_was_given(opened: Open) -> None:
    paper, note = File("po.pdf", documents.pdf("PO-7")), File("a.txt", b"note")
    async with opened(project) as app:
        first = await app.assign_task(opener, "Open.", data="po.pdf", files=[paper])
        again: dict[str, Any] = {"conversation": first.conversation_id}
        earlier = await app.assign_task(opener, "Open.", data="po.pdf", **again)
        later = await app.assign_task(opener, "Open.", data="a.txt", files=[note], **again)
        other = await app.assign_task(opener, "Open.", data="b.txt", **again)
        alone = await app.assign_task(opener, "Open.", data="po.pdf")

    assert [first.output, earlier.output, later.output] == ["%PDF", "%PDF", "note"]
    assert 'no file "b.txt". It was given po.pdf, a.txt.' in other.output
    assert 'no file "po.pdf". It was given none.' in alone.output
    with pytest.raises(ArtifactNotFound, match="without a task there are no files"):
        await first_bytes("po.pdf", SkillCall("key", "task", "talk"))


async def test_the_record_does_not_hold_what_files_say(opened: Open) -> None:
    async with opened(project) as app:
        await app.assign_task(clerk, "Read.", files=[File("a.txt", b"a long text " * 1000)])
        entries = await app.store.read(lambda db: db.execute(schema.entries.select()).all())
        jobs = await app.store.read(lambda db: db.execute(schema.jobs.select()).all())

    told = next(entry.body for entry in entries if entry.kind == "told")
    assert told["files"] == [
        {
            "name": "a.txt",
            "media_type": "text/plain",
            "digest": blobs.digest_of(b"a long text " * 1000),
            "size": 12_000,
            "text": blobs.digest_of(b"a long text " * 1000),
            "notes": [],
        }
    ]
    assert "a long text" not in str(jobs[0].input)


async def test_an_artifact_that_nobody_saved_is_not_found(opened: Open) -> None:
    made_up = Artifact("x.csv", "text/csv", "0" * 64, 3)
    async with opened(project) as app:
        with pytest.raises(ArtifactNotFound):
            await app.assign(clerk, "Read.", files=[made_up])
        with pytest.raises(ArtifactNotFound):
            await app.read_artifact(made_up)


async def test_what_is_wrong_with_several_files_is_said_of_the_first(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(LampworkError, match=r"b\.txt"):
            await app.assign(
                clerk, "Read.", files=[File("a.txt", b"x"), File("b.txt", b""), File("c", b"")]
            )


fetched: list[str] = []


def fetch(name: str) -> File:
    fetched.append(name)
    return File(name, documents.pdf("PO-7"))


@project.recipe()
async def read_order(job: Job) -> str:
    order = await job.step(fetch, "po.pdf")
    await job.wait_for("go")
    return (await job.assign_task(clerk, "Read.", files=[order])).output


async def test_a_step_may_fetch_a_file_and_a_replay_has_it_from_the_record(opened: Open) -> None:
    fetched.clear()
    async with opened(project) as app:
        job_id = await app.start(read_order)
        await park(app, job_id)
    async with opened(project) as app:
        await app.send_event(job_id, "go")
        assert await app.result(job_id) == "po.pdf: [page 1]\nPO-7\n\n"
    assert fetched == ["po.pdf"]
