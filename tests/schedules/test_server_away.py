"""A server that goes away, and comes back, while the writer has something for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from tests.postgres import Cluster
from tests.support import eventually

from lampwork import failpoint
from lampwork.errors import StoreUnavailable
from lampwork.place import Server
from lampwork.store import schema
from lampwork.store.store import Store


@pytest.fixture
def store(server: str) -> Iterator[Store]:
    store = Store(Server(server))
    yield store
    store.close()


def keep(connection: sa.Connection, number: int) -> int:
    line = {"job_id": "j1", "number": number, "at": 0.0, "message": "line"}
    connection.execute(schema.logs.insert().values(line))
    return number


def kept(connection: sa.Connection) -> list[int]:
    return sorted(connection.execute(sa.select(schema.logs.c.number)).scalars())


def end_sessions(cluster: Cluster) -> None:
    with cluster.connect("postgres") as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'lamp'"
        )


async def test_a_connection_that_was_lost_in_a_pause_is_not_noticed(store: Store, cluster: Cluster):
    """Nothing had been told to commit, so it is simply done again on another connection."""
    await store.write(keep, 1)
    end_sessions(cluster)
    assert await store.write(keep, 2) == 2
    assert await store.write(keep, 3) == 3


async def test_while_the_server_is_away_changes_are_refused_and_nothing_hangs(
    store: Store, cluster: Cluster
):
    await store.write(keep, 1)
    cluster.kill()
    try:
        with pytest.raises(StoreUnavailable, match="Try again"):
            await store.write(keep, 2)
        with pytest.raises(StoreUnavailable):
            await store.read(kept)
    finally:
        cluster.start()
    assert await store.write(keep, 3) == 3
    assert await eventually_kept(store) == [1, 3]


async def eventually_kept(store: Store) -> list[int]:
    """A pooled connection may be one from before."""
    for _ in range(5):
        try:
            return await store.read(kept)
        except StoreUnavailable:
            continue
    raise AssertionError("the server is back and can't be read")


@pytest.mark.parametrize("moment", ["store.before_commit", "store.after_commit"])
async def test_a_server_that_dies_in_a_commit_is_asked_when_it_is_back(
    store: Store, cluster: Cluster, moment: str
):
    """Nobody is told anything before it is known; then what was told is true."""
    died = threading.Event()

    def die() -> None:
        failpoint.disarm(moment)
        cluster.kill()
        died.set()
        if moment == "store.after_commit":
            raise ConnectionResetError("no answer")

    failpoint.arm(moment, die)
    writing = asyncio.create_task(store.write(keep, 1))
    await asyncio.to_thread(died.wait, 10)
    assert not writing.done()
    cluster.start()
    if moment == "store.after_commit":
        assert await writing == 1
        assert await eventually_kept(store) == [1]
    else:
        with pytest.raises(StoreUnavailable):
            await writing
        assert await eventually_kept(store) == []
    assert await store.write(keep, 2) == 2


async def test_a_commit_that_the_server_is_still_busy_with_is_waited_for(
    store: Store, server: str, cluster: Cluster
):
    """Its connection is gone, its session is not: whoever asks too soon hears of nothing, does it
    again, and has it twice."""
    await store.write(keep, 1)
    begun, may_end = threading.Event(), threading.Event()

    def commit_second_batch(connection: sa.Connection) -> None:
        begun.set()
        may_end.wait(10)
        mine = schema.writers.c.id == store.writer_id
        connection.execute(sa.update(schema.writers).where(mine).values(batch=2))

    session = Store(Server(server))
    session.submit(commit_second_batch)
    await asyncio.to_thread(begun.wait, 10)
    store._batch = 2
    asking = asyncio.create_task(asyncio.to_thread(store._was_committed))
    with cluster.connect("postgres") as connection:
        waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        await eventually(lambda: asking.done() or connection.execute(waiting).fetchone())
    may_end.set()
    assert await asking
    session.close()
