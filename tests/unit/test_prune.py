"""What is pruned, compared with a naive model: what is old and whole, with all it is linked to."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.integrity import dangling

from lampwork.place import Folder
from lampwork.store import schema
from lampwork.store.store import Store
from lampwork.store.upkeep import prune, quiet
from lampwork.store.upkeep.prune import Search
from lampwork.store.upkeep.quiet import Mentioned
from lampwork.upkeep import pruning

NOW = 1_000_000_000.0
CUTOFF = NOW - 30 * 86400
OLD, RECENT = CUTOFF - 86400, CUTOFF + 86400
LONG_AGO = CUTOFF - 60 * 86400
"""When conversations must have been written to last."""


@dataclass
class Tree:
    """A root, its children, and what they have."""

    number: int
    ended: list[float | None]
    """Of the root and each child: when it ended."""
    original: int | None
    """The tree that it is a copy of."""
    talks: list[int]
    """The conversations that its root's tasks write to."""
    key_at: float | None
    """When it was started under an idempotency key."""
    names: int | None
    """The conversation that its input names."""
    kept_code: str | None = None

    @property
    def root(self) -> str:
        return f"j{_id(self.number)}"

    @property
    def stays(self) -> bool:
        unfinished = any(at is None or at >= CUTOFF for at in self.ended)
        return unfinished or (self.key_at is not None and self.key_at > NOW - 86400)


@dataclass
class Talk:
    """A conversation, if a tree writes to it."""

    number: int
    last: float
    """When the last word was said."""
    copied_from: int | None

    @property
    def id(self) -> str:
        return f"c{_id(self.number)}.1"


@dataclass
class Home:
    """What is in a folder."""

    trees: list[Tree]
    talks: list[Talk]


def _id(number: int) -> str:
    return f"0{number:017x}"


@st.composite
def homes(draw: Any) -> Home:
    """Up to eight trees and six conversations, linked at random."""
    when = st.sampled_from([OLD, OLD, OLD, OLD, OLD, OLD, RECENT, None])
    count = draw(st.integers(1, 8))
    trees = [
        Tree(
            number,
            draw(st.lists(when, min_size=1, max_size=3)),
            draw(st.none() | st.integers(0, number - 1)) if number else None,
            draw(st.lists(st.integers(0, 5), max_size=2, unique=True)),
            draw(st.sampled_from([None, None, None, OLD, NOW - 60])),
            draw(st.none() | st.none() | st.integers(0, 5)),
            draw(st.sampled_from([None, None, "code"])),
        )
        for number in range(count)
    ]
    spoken = st.sampled_from([LONG_AGO - 86400, LONG_AGO - 86400, LONG_AGO + 86400])
    talks = [
        Talk(
            number,
            draw(spoken),
            draw(st.none() | st.integers(0, number - 1)) if number else None,
        )
        for number in range(6)
    ]
    written = {each for tree in trees for each in tree.talks}
    for talk in talks:
        talk.copied_from = talk.copied_from if talk.copied_from in written else None
    return Home(trees, [talk for talk in talks if talk.number in written])


def kept(home: Home) -> tuple[set[int], set[int]]:
    """The model: a tree that stays keeps its copies and originals, however far; a conversation
    stays for its trees, its copies, whoever may continue it, and what was said lately."""
    trees = {tree.number for tree in home.trees if tree.stays}
    while (
        more := {
            one.number
            for one in home.trees
            for other in home.trees
            if other.number in trees
            and (one.original == other.number or other.original == one.number)
        }
        - trees
    ):
        trees |= more
    named = {tree.names for tree in home.trees if None in tree.ended[:1]}
    talks = {talk.number for talk in home.talks if talk.last >= LONG_AGO} | named
    talks |= {each for tree in home.trees if tree.number in trees for each in tree.talks}
    talks &= {talk.number for talk in home.talks}
    while more := {t.copied_from for t in home.talks if t.number in talks} - talks - {None}:
        talks |= more
    return trees, talks


def write(connection: sa.Connection, home: Home) -> None:
    talks = {talk.number: talk for talk in home.talks}
    for tree in home.trees:
        for position, ended in enumerate(tree.ended):
            _write_job(connection, tree, position, ended)
        for call, talk in enumerate(tree.talks):
            _write_task(connection, tree, call, talks[talk])


def _write_job(connection: sa.Connection, tree: Tree, position: int, ended: float | None) -> None:
    job = tree.root if position == 0 else f"{tree.root}.{position}"
    names = None if tree.names is None or position else f"c{_id(tree.names)}.1"
    connection.execute(
        sa.insert(schema.jobs).values(
            id=job,
            project="shop",
            callable="ship",
            version="v",
            input={"conversation": names},
            trigger={},
            want="run",
            status="running" if ended is None else "succeeded",
            parent_id=tree.root if position else None,
            root_id=tree.root,
            kept_code=None if position else tree.kept_code,
            copy_of=None if position or tree.original is None else f"j{_id(tree.original)}",
            idempotency_key=None if tree.key_at is None else "key",
            created_at=tree.key_at or 0.0,
            changed_at=0.0,
            ended_at=ended,
        )
    )
    add = {
        schema.calls: {"number": 1, "kind": "step", "name": "x", "digest": "", "opened_at": 0.0},
        schema.ends: {"number": 1, "callable": "x", "input": {}},
        schema.logs: {"number": 1, "at": 0.0, "message": "x"},
    }
    for table, values in add.items():
        connection.execute(sa.insert(table).values(job_id=job, **values))
    wait = f"w{job[1:]}.1"
    connection.execute(
        sa.insert(schema.waits).values(
            id=wait, job_id=job, call=1, kind="event", subject={}, opened_at=0.0
        )
    )
    for wait_id, topic in ((wait, f"{job}:a"), (None, f"{job}:b")):
        connection.execute(
            sa.insert(schema.inbox).values(
                wait_id=wait_id, topic=topic, kind="message", value=1, source="x", at=0.0
            )
        )
    for digest in (f"{tree.number % 3}", f"file of {tree.root}", f"value of {job}"):
        _write_blob(connection, digest, job)


def _write_blob(connection: sa.Connection, digest: str, owner: str) -> None:
    if connection.execute(sa.select(schema.blobs).filter_by(digest=digest)).first() is None:
        connection.execute(
            sa.insert(schema.blobs).values(digest=digest, content=b"x" * 100, put_at=0.0)
        )
    connection.execute(sa.insert(schema.blob_owners).values(digest=digest, owner=owner))


def _write_task(connection: sa.Connection, tree: Tree, call: int, talk: Talk) -> None:
    task = f"t{tree.root[1:]}.{call}"
    connection.execute(
        sa.insert(schema.tasks).values(
            id=task,
            job_id=tree.root,
            call=call,
            genie="clerk",
            conversation_id=talk.id,
            history_until=0,
            status="answered",
            epoch=1,
            instructions="x",
            data=None,
            metadata={},
            files=[{"digest": f"file of {tree.root}", "text": None}],
            created_at=0.0,
        )
    )
    connection.execute(sa.insert(schema.budgets).values(id=task, limits={}, begun_at=0.0))
    known = sa.select(schema.conversations).filter_by(id=talk.id)
    last = 0 if (row := connection.execute(known).first()) is None else row.last_seq
    if row is None:
        copied = None if talk.copied_from is None else f"c{_id(talk.copied_from)}.1"
        connection.execute(
            sa.insert(schema.conversations).values(
                id=talk.id,
                project="shop",
                kind="task",
                epoch=1,
                last_seq=0,
                copied_from=copied,
                created_at=0.0,
            )
        )
    for seq in (last + 1, last + 2):
        connection.execute(
            sa.insert(schema.entries).values(
                conversation_id=talk.id, seq=seq, task_id=task, kind="said", body={}, at=talk.last
            )
        )
    connection.execute(
        sa.update(schema.conversations).filter_by(id=talk.id).values(last_seq=last + 2)
    )
    artifact = {"task_id": task, "call": "2.0", "name": "a"}
    connection.execute(
        sa.insert(schema.artifacts).values(
            **artifact, media_type="x", digest="artifact", size=100, at=0.0
        )
    )
    _write_blob(connection, "artifact", f"{task}.2.0/a")


def searched(project: str | None = None) -> Search:
    return Search(jobs_before=CUTOFF, conversations_before=LONG_AGO, now=NOW, project=project)


async def pruned(folder: Path, home: Home, jobs: int, rows: int) -> tuple[set[str], set[str]]:
    """Prune so much at a time; the roots and conversations that remain."""
    store = Store(Folder(folder))
    try:
        await store.write(write, home)
        with patched(jobs, rows):
            planned = await pruning.plan(store, NOW - CUTOFF, conversations=NOW - LONG_AGO)
            before = await store.read(_counts)
            gone = await pruning.delete(store, NOW - CUTOFF, conversations=NOW - LONG_AGO)
        after = await store.read(_counts)
        really = [one - other for one, other in zip(before, after, strict=True)]
        for said in (planned, gone):
            assert [said.jobs, said.tasks, said.conversations, said.entries] == really
        assert await store.read(_owned_by_nobody) == set()
        return await store.read(_ids, schema.jobs.c.root_id), await store.read(
            _ids, schema.conversations.c.id
        )
    finally:
        await asyncio.to_thread(store.close)


@contextmanager
def patched(jobs: int, rows: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruning, "_ROOTS", jobs)
        patch.setattr(pruning, "_JOBS", jobs)
        patch.setattr(pruning, "_ROWS", rows)
        patch.setattr(pruning, "_SWEPT_AFTER", 3)
        patch.setattr(pruning, "_AT_A_STRETCH", NOW)
        patch.setattr(pruning.clock, "now", lambda: NOW)
        yield


def _owned_by_nobody(connection: sa.Connection) -> set[str]:
    """What the tasks that are there have, and might be collected."""
    owned = set(connection.execute(sa.select(schema.blob_owners.c.digest)).scalars())
    files = connection.execute(sa.select(schema.tasks.c.files)).scalars()
    return {file["digest"] for each in files for file in each} - owned


def _ids(connection: sa.Connection, column: sa.Column[str]) -> set[str]:
    return set(connection.execute(sa.select(column)).scalars())


def _counts(connection: sa.Connection) -> list[int]:
    tables = (schema.jobs, schema.tasks, schema.conversations, schema.entries)
    return [
        connection.execute(sa.select(sa.func.count()).select_from(each)).scalar_one()
        for each in tables
    ]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows, to copy: making one takes most of a second."""
    folder = tmp_path_factory.mktemp("empty")
    Store(Folder(folder)).close()
    return folder / "lampwork.db"


_COPIED = Home(
    [Tree(0, [OLD], None, [0], None, None), Tree(1, [OLD], None, [1], None, None)],
    [Talk(0, LONG_AGO - 86400, None), Talk(1, LONG_AGO + 86400, 0)],
)
"""A conversation to which nobody writes any more, and a copy of it to which somebody does."""


@settings(max_examples=50, deadline=None)
@example(_COPIED, 4, 7)
@given(homes(), st.integers(1, 4), st.integers(1, 7))
def test_what_goes_is_what_a_naive_model_lets_go_and_nothing_dangles(
    empty: Path, home: Home, jobs: int, rows: int
) -> None:
    with TemporaryDirectory() as folder:
        shutil.copy(empty, folder)
        roots, conversations = asyncio.run(pruned(Path(folder), home, jobs, rows))

        trees, talks = kept(home)
        assert roots == {tree.root for tree in home.trees if tree.number in trees}
        assert conversations == {talk.id for talk in home.talks if talk.number in talks}
        assert dangling(Path(folder)) == {}


async def test_what_comes_between_the_look_and_the_deed_keeps_its_tree(tmp_path: Path) -> None:
    """A retry of a job that was about to go, and a job that names a conversation."""
    store = Store(Folder(tmp_path))
    said = LONG_AGO - 86400
    old = [Tree(n, [OLD], None, [n], None, None) for n in range(3)]
    await store.write(write, Home(old, [Talk(n, said, None) for n in range(3)]))
    search, mentioned = searched(), Mentioned()
    roots = await store.read(prune.candidates, search, after=None, limit=10)
    groups = await store.read(prune.judge, [root for _, root in roots], search)
    await store.write(write, Home([Tree(3, [None], 0, [], None, None)], []))

    taken, _ = await store.write(prune.take, groups, at_most=100)

    assert (taken.trees, taken.jobs) == (2, 2)
    assert await store.read(_ids, schema.jobs.c.id) == {f"j{_id(n)}" for n in (0, 3)}

    search = searched()
    ids = await store.read(quiet.candidates, search, after=None, limit=10)
    found = await store.read(quiet.judge, ids, search, mentioned)
    assert found == [f"c{_id(n)}.1" for n in (2, 1)]
    await store.write(write, Home([Tree(4, [None], None, [], None, 1)], []))

    assert await store.write(quiet.take, found, searched(), mentioned) == [f"c{_id(2)}.1"]
    await asyncio.to_thread(store.close)


async def test_a_tree_and_a_chat_of_thousands_go_in_short_transactions(tmp_path: Path) -> None:
    """Each tells of the rows that its transaction has changed."""
    store, changed = Store(Folder(tmp_path)), list[int]()
    chat = [Tree(n, [OLD], None, [0], None, None) for n in range(1, 151)]
    large = Tree(0, [OLD] * 350, None, [], None, None)
    await store.write(write, Home([large, *chat], [Talk(0, LONG_AGO - 86400, None)]))
    whole = store.write

    def counted(connection: sa.Connection, change: Any, *what: Any, **how: Any) -> Any:
        driver: Any = connection.connection.driver_connection
        before = driver.total_changes
        done = change(connection, *what, **how)
        changed.append(driver.total_changes - before)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "write", lambda change, *a, **k: whole(counted, change, *a, **k))
        patch.setattr(pruning.clock, "now", lambda: NOW)
        patch.setattr(pruning, "_AT_A_STRETCH", NOW)
        gone = await pruning.delete(store, NOW - CUTOFF, conversations=NOW - LONG_AGO)

    assert (gone.jobs, gone.tasks, gone.entries) == (500, 150, 300)
    assert max(changed) < 3_000
    await asyncio.to_thread(store.close)
    assert dangling(tmp_path) == {}


async def test_only_what_is_of_the_project_goes(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))
    talk = Talk(0, LONG_AGO - 86400, None)
    await store.write(write, Home([Tree(0, [OLD], None, [0], None, None)], [talk]))
    ages = {"conversations": NOW - LONG_AGO}
    with patched(10, 10):
        other = await pruning.delete(store, NOW - CUTOFF, project="zoo", **ages)
        own = await pruning.delete(store, NOW - CUTOFF, project="shop", **ages)

    assert (other.jobs, other.conversations) == (0, 0)
    assert (own.jobs, own.conversations) == (1, 1)
    await asyncio.to_thread(store.close)


async def test_processes_that_are_long_gone_are_forgotten(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))

    def write_rows(connection: sa.Connection) -> None:
        write(connection, Home([Tree(0, [OLD], None, [], None, None)], []))
        connection.execute(sa.update(schema.jobs).values(executor="named"))
        for name, started, closed in (
            ("gone", 1.0, OLD),
            ("named", 2.0, OLD),
            ("alive", 3.0, None),
            ("newest", 4.0, OLD),
        ):
            connection.execute(
                sa.insert(schema.executors).values(
                    id=name, pid=1, project="shop", started_at=started, closed_at=closed
                )
            )
        for name, at in (("quiet", NOW - 90000), ("lively", NOW - 80000)):
            connection.execute(sa.insert(schema.writers).values(id=name, batch=1, at=at))

    def names(connection: sa.Connection, table: sa.Table) -> set[str]:
        return set(connection.execute(sa.select(table.c.id)).scalars())

    await store.write(write_rows)
    await store.write(prune.processes, searched())

    assert await store.read(names, schema.executors) == {"named", "alive", "newest"}
    assert await store.read(names, schema.writers) == {"lively", store.writer_id}
    await asyncio.to_thread(store.close)


async def test_between_stretches_of_writing_others_get_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite lets whoever asks again first write, so one that never rests keeps all others out."""
    store, done = Store(Folder(tmp_path)), list[str]()
    trees = [Tree(n, [OLD], None, [n], None, None) for n in range(6)]
    await store.write(write, Home(trees, [Talk(n, LONG_AGO - 1, None) for n in range(6)]))
    whole, rest = store.write, asyncio.sleep

    async def writing(change: Any, *what: Any, **how: Any) -> Any:
        done.append(change.__name__)
        return await whole(change, *what, **how)

    async def resting(seconds: float) -> None:
        if seconds:
            assert seconds > 0.1  # the longest that a waiting connection sleeps
            done.append("rest")
        await rest(0)

    monkeypatch.setattr(store, "write", writing)
    monkeypatch.setattr(pruning.asyncio, "sleep", resting)
    monkeypatch.setattr(pruning, "_ROOTS", 2)
    monkeypatch.setattr(pruning, "_AT_A_STRETCH", 0.0)
    monkeypatch.setattr(pruning.clock, "now", lambda: NOW)
    assert (await pruning.delete(store, NOW - CUTOFF)).jobs == 6

    assert done[:4] == ["take", "rest", "take", "rest"]
    assert done[1::2] == ["rest"] * (len(done) // 2)
    assert "rest" not in done[::2]
    await asyncio.to_thread(store.close)
