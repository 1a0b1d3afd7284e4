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

    def hold(_connection: sa.Connection) -> None:
        begun.set()
        may_end.wait(10)
        written.append("first")

    flood = [flooding.submit(hold)]
    await asyncio.to_thread(begun.wait, 10)
    flood += [flooding.submit(lambda _connection: written.append("more")) for _ in range(2_000)]
    little = other.submit(lambda _connection: written.append("little"))
    with cluster.connect("postgres") as connection:
        waits = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        await eventually(lambda: connection.execute(waits).fetchone(), "it does not come in line")
    may_end.set()
    for each in (little, *flood):
        await asyncio.wait_for(asyncio.wrap_future(each), 10)

    assert written[:2] == ["first", "little"]
    assert len(written) == 2_002
    for store in (flooding, other):
        await asyncio.to_thread(store.close)
