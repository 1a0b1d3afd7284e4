"""A server that goes away, and comes back, while the writer has something for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from tests.postgres import Cluster
from tests.support import eventually

from lampwork import Job, Project, failpoint
from lampwork.door import Door
from lampwork.errors import DatabaseNotWritable, StoreUnavailable
from lampwork.place import Server
from lampwork.store import schema
from lampwork.store import store as store_module
from lampwork.store.store import Store

pytestmark = pytest.mark.server

AFTER_COMMIT = "store.after_commit"

Writing = asyncio.Task[int]


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


async def in_doubt(store: Store, cluster: Cluster, moment: str = AFTER_COMMIT) -> Writing:
    """A change at whose commit the server dies: before it is told to, or before it answers."""
    died = threading.Event()

    def die() -> None:
        failpoint.disarm(moment)
        cluster.kill()
        died.set()
        if moment == AFTER_COMMIT:
            raise ConnectionResetError("no answer")

    failpoint.arm(moment, die)
    writing = asyncio.create_task(store.write(keep, 1))
    await asyncio.to_thread(died.wait, 60)
    return writing


async def test_a_connection_that_was_lost_in_a_pause_is_not_noticed(store: Store, cluster: Cluster):
    """Nothing had been told to commit, so it is simply done again on another connection."""
    await store.write(keep, 1)
    cluster.end_sessions()
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
    assert await store.read(kept) == [1, 3]


@pytest.mark.parametrize("moment", ["store.before_commit", AFTER_COMMIT])
async def test_a_server_that_dies_in_a_commit_is_asked_when_it_is_back(
    store: Store, cluster: Cluster, moment: str
):
    """Nobody is told anything before it is known; then what was told is true."""
    writing = await in_doubt(store, cluster, moment)
    if moment == AFTER_COMMIT:
        assert not writing.done()
    cluster.start()
    if moment == AFTER_COMMIT:
        assert await writing == 1
        assert await store.read(kept) == [1]
    else:
        with pytest.raises(StoreUnavailable):
            await writing
        assert await store.read(kept) == []
    assert await store.write(keep, 2) == 2


async def test_a_commit_that_the_server_is_still_busy_with_is_waited_for(
    store: Store, server: str, cluster: Cluster
):
    """Its connection is gone, its session is not: whoever asks too soon hears of nothing, does it
    again, and has it twice."""
    await store.write(keep, 1)
    begun, may_end = threading.Event(), threading.Event()

    def commit_second_batch(connection: sa.Connection) -> None:
        # However long it takes, the server does not take it for frozen.
        connection.exec_driver_sql("set local idle_in_transaction_session_timeout = 0")
        begun.set()
        may_end.wait(60)
        mine = schema.writers.c.id == store.writer_id
        connection.execute(sa.update(schema.writers).where(mine).values(batch=2))

    session = Store(Server(server))
    session.submit(commit_second_batch)
    await asyncio.to_thread(begun.wait, 60)
    store._batch = 2
    asking = asyncio.create_task(asyncio.to_thread(store._was_committed))
    with cluster.connect("postgres") as connection:
        waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        await eventually(lambda: asking.done() or connection.execute(waiting).fetchone())
    may_end.set()
    assert await asking
    session.close()


async def test_what_is_submitted_while_a_commit_is_not_known_is_refused_at_once(
    store: Store, cluster: Cluster
):
    """*The database is down at submit: 503 within its deadline.* Only the commit in doubt waits."""
    writing = await in_doubt(store, cluster)
    try:
        with pytest.raises(StoreUnavailable, match="can't be reached"):
            await asyncio.wait_for(store.write(keep, 2), 60)
        assert not writing.done()
    finally:
        cluster.start()
    assert await writing == 1
    assert await store.read(kept) == [1]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_PATIENCE", 0.3)


@pytest.mark.usefixtures("impatient")
async def test_a_store_that_closes_does_not_wait_for_a_server_that_hangs(
    server: str, cluster: Cluster
):
    """Who was not answered hears that it is not known, and a reader that it was cut off."""
    store = Store(Server(server))
    await store.write(keep, 1)
    await store.read(kept)
    cluster.pause()
    try:
        writing = asyncio.create_task(store.write(keep, 2))
        reading = asyncio.create_task(store.read(kept))
        await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.to_thread(store.close), 60)
        with pytest.raises(StoreUnavailable):
            await writing
        with pytest.raises(StoreUnavailable):
            await reading
    finally:
        cluster.go_on()


@pytest.mark.usefixtures("impatient")
async def test_a_commit_that_is_not_known_when_the_store_closes_is_told_so(
    server: str, cluster: Cluster
):
    store = Store(Server(server))
    writing = await in_doubt(store, cluster)
    try:
        await asyncio.wait_for(asyncio.to_thread(store.close), 60)
        with pytest.raises(StoreUnavailable, match="it may have it, or not"):
            await writing
    finally:
        cluster.start()


async def test_a_paused_server_only_takes_longer(store: Store, cluster: Cluster):
    await store.write(keep, 1)
    cluster.pause()
    writing = asyncio.create_task(store.write(keep, 2))
    done, _ = await asyncio.wait({writing}, timeout=0.2)
    cluster.go_on()
    assert not done
    assert await writing == 2
    assert await store.read(kept) == [1, 2]


async def test_a_process_that_is_slower_than_the_server_allows_begins_again(
    store: Store, cluster: Cluster
):
    """*A worker frozen in mid-transaction blocked its successor*: so the server ends its session.
    On a machine with too much to do any process may be that slow."""
    await store.write(keep, 1)
    frozen = 0

    def freeze(connection: sa.Connection, number: int) -> int:
        nonlocal frozen
        keep(connection, number)
        frozen += 1
        if frozen == 1:
            cluster.end_sessions()
        return number

    assert await store.write(freeze, 2) == 2
    assert frozen == 2
    assert await store.read(kept) == [1, 2]


async def test_only_who_writes_is_ended_for_idling_in_a_transaction(store: Store):
    """Who reads blocks nobody, and may do much with what it has read before it reads on."""

    def ended_after(connection: sa.Connection) -> str:
        shown = connection.exec_driver_sql("show idle_in_transaction_session_timeout")
        return str(shown.scalar())

    assert await store.write(ended_after) == "3s"
    assert await store.read(ended_after) == "0"


async def test_a_session_that_was_ended_before_a_read_is_not_noticed(
    store: Store, cluster: Cluster
):
    await store.write(keep, 1)
    assert await store.read(kept) == [1]
    cluster.end_sessions()
    assert await store.read(kept) == [1]


async def test_a_role_that_lost_its_rights_is_told_so_and_no_outcome(
    store: Store, server: str, cluster: Cluster
):
    await store.write(keep, 1)
    with cluster.connect(server.rpartition("/")[2]) as connection:
        connection.execute("alter table lampwork.logs owner to postgres")
        connection.execute("revoke all on lampwork.logs from lamp")
        with pytest.raises(DatabaseNotWritable, match="permission denied for table logs"):
            await store.write(keep, 2)
        with pytest.raises(DatabaseNotWritable, match="permission denied for table logs"):
            await store.read(kept)
        connection.execute("alter table lampwork.logs owner to lamp")
    assert await store.write(keep, 3) == 3


async def test_a_server_whose_disk_is_full_takes_nothing_and_says_so(
    store: Store, server: str, cluster: Cluster
):
    await store.write(keep, 1)
    with cluster.connect(server.rpartition("/")[2]) as connection:
        connection.execute(
            "create function no_room() returns trigger language plpgsql as $$ begin raise "
            "'could not extend file: No space left on device' using errcode = 'disk_full'; end $$"
        )
        full = "no_room before insert on lampwork.logs for each row execute function no_room()"
        connection.execute(f"create trigger {full}")
        with pytest.raises(StoreUnavailable, match=r"(?s)No space left on device.* Try again"):
            await store.write(keep, 2)
        assert await store.read(kept) == [1]
        connection.execute("drop trigger no_room on lampwork.logs")
    assert await store.write(keep, 3) == 3
    assert await store.read(kept) == [1, 3]


async def test_a_server_that_takes_no_changes_any_more_is_told_as_a_standby(
    store: Store, server: str, cluster: Cluster
):
    name = server.rpartition("/")[2]
    with cluster.connect("postgres") as connection:
        connection.execute(f"alter database {name} set default_transaction_read_only = on")
    cluster.end_sessions()

    with pytest.raises(DatabaseNotWritable, match="name the primary"):
        await store.write(keep, 1)
    assert await store.read(kept) == []


async def test_a_job_that_is_sent_again_under_its_key_is_one_job(store: Store, cluster: Cluster):
    """The first time the server was away, or its answer got lost: the sender can't know which."""
    project = Project("away")

    @project.recipe()
    async def order(job: Job, number: int) -> int:
        return number

    def lose_the_answer() -> None:
        failpoint.disarm(AFTER_COMMIT)
        cluster.kill()
        cluster.start()
        raise ConnectionResetError("no answer")

    door = Door(project, store)
    cluster.kill()
    with pytest.raises(StoreUnavailable):
        await door.start(order, idempotency_key="one", number=1)
    cluster.start()
    failpoint.arm(AFTER_COMMIT, lose_the_answer)
    first = await door.start(order, idempotency_key="one", number=1)
    assert await door.start(order, idempotency_key="one", number=1) == first
    count = sa.select(sa.func.count()).select_from(schema.jobs)
    assert await store.write(lambda connection: connection.execute(count).scalar()) == 1
