"""Blobs: kept while anybody owns them, collected when nobody does, whatever comes between.

The schedules are those of one database, where one transaction comes after the other; a blob's age
is set, never waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support import crash, eventually, inside, opened, rows, sql

from lampwork import Answer, Call, File, Job, Project, SkillCall, Turn, playbook
from lampwork.door import Door
from lampwork.errors import StoreUnavailable
from lampwork.place import Folder
from lampwork.store import blobs, schema
from lampwork.store.store import Store
from lampwork.store.tasks import files
from lampwork.types import LARGEST_IN_ROW
from lampwork.worker.recovery import collect

HOUR = blobs.GRACE


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Connection]:
    """A connection outside any writer: what a test does is one transaction after the other."""
    Store(Folder(tmp_path)).close()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'lampwork.db'}")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def put(database: sa.Connection, content: bytes, age: float = 0.0) -> str:
    """Store content; it was stored that long ago."""
    digest = blobs.digest_of(content)
    blobs.put(database, digest, content)
    if age:
        changed = schema.blobs.c.put_at - age
        database.execute(sa.update(schema.blobs).values(put_at=changed))
    return digest


def there(database: sa.Connection) -> set[bytes]:
    return set(database.execute(sa.select(schema.blobs.c.content)).scalars())


def collected(database: sa.Connection) -> int:
    return blobs.collect(database, time.time())


def test_only_what_is_old_and_nobodys_is_collected(database):
    put(database, b"old and lost", age=HOUR + 1)
    blobs.own(database, "j1", [put(database, b"owned", age=HOUR + 1)])
    put(database, b"young")

    assert collected(database) == 1
    assert there(database) == {b"owned", b"young"}


def test_what_is_stored_again_is_young_again(database):
    """Stored, its process crashed; an hour on another stores the same and is about to name it."""
    put(database, b"po", age=HOUR + 1)
    digest = put(database, b"po")

    assert collected(database) == 0
    blobs.own(database, "j1", [digest])
    assert there(database) == {b"po"}


def test_what_was_collected_before_it_was_named_is_refused_not_lost(database):
    """A process stands still for an hour between storing and naming."""
    digest = put(database, b"po", age=HOUR + 1)
    assert collected(database) == 1

    with pytest.raises(StoreUnavailable, match="Try again"):
        blobs.own(database, "j1", [digest])
    blobs.own(database, "j1", [put(database, b"po")])
    assert there(database) == {b"po"}


def test_a_blob_lives_as_long_as_its_last_owner(database):
    digest = put(database, b"po", age=HOUR + 1)
    blobs.own(database, "j1", [digest])
    blobs.own(database, "j2", [digest, digest])
    blobs.disown(database, "j1", digest)
    assert collected(database) == 0

    blobs.disown(database, "j2", digest)
    assert collected(database) == 1


def test_a_reading_goes_with_its_text_and_is_made_anew(database):
    keep = {"kind": "text", "notes": [], "text": b"what it says"}
    digest = blobs.digest_of(b"po")
    assert files.put(database, digest, b"po", "1", None) is None
    files.keep_reading(database, digest, "1", None, **keep)
    found = files.put(database, digest, b"po", "1", None)
    assert (found.kind, found.text) == ("text", blobs.digest_of(b"what it says"))
    assert files.put(database, digest, b"po", "2", None) is None  # another reader, or other caps

    put(database, b"", age=HOUR + 1)
    collected(database)
    assert there(database) == set()
    assert files.put(database, digest, b"po", "1", None) is None


def test_a_text_that_is_about_to_be_named_is_young_as_well(database):
    """The content is stored again and has been read before; both are about to be named."""
    digest = blobs.digest_of(b"po")
    files.put(database, digest, b"po", "1", None)
    files.keep_reading(database, digest, "1", None, kind="text", notes=[], text=b"what it says")
    put(database, b"", age=HOUR + 1)

    found = files.put(database, digest, b"po", "1", None)
    collected(database)
    blobs.own(database, "j1", [digest, found.text])


def test_many_are_collected_some_at_a_time(database):
    for n in range(150):
        put(database, str(n).encode())
    put(database, b"", age=HOUR + 1)

    assert [collected(database) for _ in range(3)] == [100, 51, 0]


# --- what jobs and tasks keep ---

project = Project("blobs")
LARGE = "x" * (LARGEST_IN_ROW + 1)


@project.skill(effect="idempotent")
def draw(call: SkillCall) -> str:
    """Draw."""
    call.save_artifact("chart.csv", b"1,2", "text/csv")
    return "drawn"


@playbook
def clerk(turn: Turn) -> Call | Answer:
    return Answer(LARGE) if turn.results else Call("draw")


genie = project.genie("clerk", model=clerk, job_description="You draw.", skills=[draw])


def large() -> str:
    return LARGE


@project.recipe()
async def keeper(job: Job) -> str:
    """Large values of a step, a task, a child and itself; a file with its text; an artifact."""
    await job.step(large)
    task = await job.assign_task(genie, "Draw.", files=[File("po.txt", "Ü".encode("cp1252"))])
    await job.call(below)
    return task.output + "."


@project.recipe()
async def below(job: Job) -> str:
    return await job.step(large) + "-"


async def test_all_that_a_folder_refers_to_is_kept_for_ever(tmp_path):
    """Whatever a row or the engine's record names is there when all is old."""
    async with opened(project, tmp_path) as app:
        assert await app.run(keeper) == LARGE + "."
        door = await app.assign(genie, "Draw.", files=[File("b.txt", b"from outside")])
        await app.result(door.job_id)
        put_at = "update blobs set put_at = put_at - 100000"
        await sql(app, put_at)
        assert await inside(app, collect(app.worker)) == 0
        await sql(app, "insert into blobs (digest, content, put_at) values ('lost', 'x', 0)")
        assert await inside(app, collect(app.worker)) == 1


async def test_the_files_of_a_job_that_waits_for_a_worker_are_kept(tmp_path):
    store = Store(Folder(tmp_path))
    job = await Door(project, store).assign(genie, "Draw.", files=[File("po.txt", b"Order")])
    await store.write(lambda db: db.execute(sa.update(schema.blobs).values(put_at=0)) and None)
    await store.write(blobs.collect, time.time())
    store.close()

    async with opened(project, tmp_path) as app:
        assert (await app.result(job.job_id))["output"] == LARGE


async def test_a_process_collects_what_the_one_before_it_left(tmp_path):
    """It was killed between storing a file and naming it."""
    async with opened(project, tmp_path) as app:
        await sql(app, "insert into blobs (digest, content, put_at) values ('lost', 'x', 0)")
    crash(tmp_path)
    async with opened(project, tmp_path) as app:

        async def gone() -> bool:
            return not await rows(app, "select digest from blobs")

        await eventually(gone)
