"""What is pruned, compared with a naive model: what is old and whole, with all it is linked to."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integrity import dangling

from lampwork import pruning
from lampwork.place import Folder
from lampwork.store import prune, schema
from lampwork.store.prune import Search
from lampwork.store.store import Store

NOW = 1_000_000_000.0
CUTOFF = NOW - 30 * 86400
OLD, RECENT = CUTOFF - 86400, CUTOFF + 86400


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

    @property
    def root(self) -> str:
        return f"j{_id(self.number)}"

    @property
    def stays(self) -> bool:
        unfinished = any(at is None or at >= CUTOFF for at in self.ended)
        return unfinished or (self.key_at is not None and self.key_at > NOW - 86400)


def _id(number: int) -> str:
    return f"0{number:017x}"


@st.composite
def folders(draw: Any) -> list[Tree]:
    """Up to eight trees, linked at random."""
    when = st.sampled_from([None, OLD, OLD, OLD, RECENT])
    count = draw(st.integers(1, 8))
    return [
        Tree(
            number,
            draw(st.lists(when, min_size=1, max_size=3)),
            draw(st.none() | st.integers(0, number - 1)) if number else None,
            draw(st.lists(st.integers(0, 5), max_size=2, unique=True)),
            draw(st.sampled_from([None, None, NOW - 60, OLD])),
            draw(st.none() | st.none() | st.integers(0, 5)),
        )
        for number in range(count)
    ]


def kept(trees: Sequence[Tree]) -> set[int]:
    """The model: whatever stays keeps all that it is linked to, however far."""
    named = {tree.names for tree in trees if tree.names is not None and None in tree.ended[:1]}
    stays = {t.number for t in trees if t.stays or not named.isdisjoint(t.talks)}
    while True:
        more = {
            one.number
            for one in trees
            for other in trees
            if other.number in stays
            and (
                one.original == other.number
                or other.original == one.number
                or not set(one.talks).isdisjoint(other.talks)
            )
        }
        if more <= stays:
            return stays
        stays |= more


def write(connection: sa.Connection, trees: Sequence[Tree]) -> None:
    for tree in trees:
        for position, ended in enumerate(tree.ended):
            _write_job(connection, tree, position, ended)
        for call, talk in enumerate(tree.talks):
            _write_task(connection, tree, call, talk)


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
    _write_blob(connection, f"{tree.number % 3}", job)


def _write_blob(connection: sa.Connection, digest: str, owner: str) -> None:
    if connection.execute(sa.select(schema.blobs).filter_by(digest=digest)).first() is None:
        connection.execute(
            sa.insert(schema.blobs).values(digest=digest, content=b"x" * 100, put_at=0.0)
        )
    connection.execute(sa.insert(schema.blob_owners).values(digest=digest, owner=owner))


def _write_task(connection: sa.Connection, tree: Tree, call: int, talk: int) -> None:
    task, conversation = f"t{tree.root[1:]}.{call}", f"c{_id(talk)}.1"
    connection.execute(
        sa.insert(schema.tasks).values(
            id=task,
            job_id=tree.root,
            call=call,
            genie="clerk",
            conversation_id=conversation,
            history_until=0,
            status="answered",
            epoch=1,
            instructions="x",
            data=None,
            metadata={},
            created_at=0.0,
        )
    )
    connection.execute(sa.insert(schema.budgets).values(id=task, limits={}, begun_at=0.0))
    known = sa.select(schema.conversations).filter_by(id=conversation)
    last = 0 if (row := connection.execute(known).first()) is None else row.last_seq
    if row is None:
        connection.execute(
            sa.insert(schema.conversations).values(
                id=conversation,
                project="shop",
                kind="task",
                epoch=1,
                last_seq=0,
                created_at=0.0,
            )
        )
    for seq in (last + 1, last + 2):
        connection.execute(
            sa.insert(schema.entries).values(
                conversation_id=conversation, seq=seq, task_id=task, kind="said", body={}, at=0.0
            )
        )
    connection.execute(
        sa.update(schema.conversations).filter_by(id=conversation).values(last_seq=last + 2)
    )
    artifact = {"task_id": task, "call": "2.0", "name": "a"}
    connection.execute(
        sa.insert(schema.artifacts).values(
            **artifact, media_type="x", digest="artifact", size=100, at=0.0
        )
    )
    _write_blob(connection, "artifact", f"{task}.2.0/a")


async def pruned(home: Path, trees: Sequence[Tree], jobs: int, rows: int) -> set[str]:
    """Prune so much at a time; the roots that remain."""
    store = Store(Folder(home))
    try:
        await store.write(write, trees)
        planned = await store.read(prune.amount, [tree.root for tree in trees], Search(CUTOFF, NOW))
        before = await store.read(_counts)
        search, after = Search(CUTOFF, NOW), ""
        while roots := await store.read(prune.candidates, CUTOFF, after=after, limit=jobs):
            _, done = await store.write(prune.take, roots, search, at_most=jobs)
            after = roots[done - 1]
        while ids := await store.read(prune.left, 3):
            while ids := ids[await store.write(prune.sweep, ids, at_most=rows) :]:
                pass
        gone = [one - other for one, other in zip(before, await store.read(_counts), strict=True)]
        assert [planned.jobs, planned.tasks, planned.conversations, planned.entries] == gone
        return set(await store.read(_roots))
    finally:
        await asyncio.to_thread(store.close)


def _counts(connection: sa.Connection) -> list[int]:
    tables = (schema.jobs, schema.tasks, schema.conversations, schema.entries)
    return [
        connection.execute(sa.select(sa.func.count()).select_from(each)).scalar_one()
        for each in tables
    ]


def _roots(connection: sa.Connection) -> Sequence[str]:
    query = sa.select(schema.jobs.c.root_id).distinct()
    return connection.execute(query).scalars().all()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows, to copy: making one takes most of a second."""
    folder = tmp_path_factory.mktemp("empty")
    Store(Folder(folder)).close()
    return folder / "lampwork.db"


@settings(max_examples=60, deadline=None)
@given(folders(), st.integers(1, 4), st.integers(1, 7))
def test_what_goes_is_what_a_naive_model_lets_go_and_nothing_dangles(
    empty: Path, trees: list[Tree], jobs: int, rows: int
) -> None:
    with TemporaryDirectory() as folder:
        shutil.copy(empty, folder)
        left = asyncio.run(pruned(Path(folder), trees, jobs, rows))

        assert left == {tree.root for tree in trees if tree.number in kept(trees)}
        assert dangling(Path(folder)) == {}


async def test_what_comes_between_the_look_and_the_deed_keeps_its_tree(tmp_path: Path) -> None:
    """A retry of a job that was about to go, and a job that names its conversation."""
    store = Store(Folder(tmp_path))
    old = [Tree(n, [OLD], None, [n], None, None) for n in range(3)]
    await store.write(write, old)
    search = Search(CUTOFF, NOW)
    roots = await store.read(prune.candidates, CUTOFF, after="", limit=10)
    await store.read(search.refresh)
    await store.write(
        write, [Tree(3, [None], 0, [], None, None), Tree(4, [None], None, [], None, 1)]
    )

    taken, _ = await store.write(prune.take, roots, search, at_most=100)

    assert (taken.trees, taken.jobs) == (1, 1)
    assert set(await store.read(_roots)) == {f"j{_id(n)}" for n in (0, 1, 3, 4)}
    await asyncio.to_thread(store.close)


async def test_processes_that_are_long_gone_are_forgotten(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))

    def write_rows(connection: sa.Connection) -> None:
        write(connection, [Tree(0, [OLD], None, [], None, None)])
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
    await store.write(prune.processes, Search(CUTOFF, NOW))

    assert await store.read(names, schema.executors) == {"named", "alive", "newest"}
    assert await store.read(names, schema.writers) == {"lively", store.writer_id}
    await asyncio.to_thread(store.close)


async def test_between_stretches_of_writing_others_get_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite lets whoever asks again first write, so one that never rests keeps all others out."""
    store, done = Store(Folder(tmp_path)), list[str]()
    await store.write(write, [Tree(n, [OLD], None, [n], None, None) for n in range(6)])
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


pytestmark = pytest.mark.timeout(120)
