"""Who writes to a server does so in turn: one project that floods it does not starve another."""

from __future__ import annotations

import asyncio
import threading

import pytest
import sqlalchemy as sa
from tests.postgres import Cluster
from tests.support import eventually

from lampwork.place import Server
from lampwork.store.store import Store

pytestmark = pytest.mark.server


async def test_a_process_that_floods_the_database_is_waited_for_by_one_commit_only(
    server: str, cluster: Cluster
):
    """*One project floods: another project's p95 stays within twice its quiet value.* What it has
    to write would fill many commits; another that comes meanwhile is the next one."""
    flooding, other = Store(Server(server)), Store(Server(server))
    begun, may_end = threading.Event(), threading.Event()
    written: list[str] = []

    def hold(connection: sa.Connection) -> None:
        # However long it takes, the server does not take it for frozen.
        connection.exec_driver_sql("set local idle_in_transaction_session_timeout = 0")
        begun.set()
        may_end.wait(60)
        written.append("first")

    flood = [flooding.submit(hold)]
    await asyncio.to_thread(begun.wait, 60)
    flood += [flooding.submit(lambda _connection: written.append("more")) for _ in range(2_000)]
    little = other.submit(lambda _connection: written.append("little"))
    with cluster.connect("postgres") as connection:
        waits = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        await eventually(lambda: connection.execute(waits).fetchone(), "it does not come in line")
    may_end.set()
    for each in (little, *flood):
        await asyncio.wait_for(asyncio.wrap_future(each), 60)

    assert written[:2] == ["first", "little"]
    assert len(written) == 2_002
    for store in (flooding, other):
        await asyncio.to_thread(store.close)
