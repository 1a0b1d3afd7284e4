"""The connections to the engine's tables."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOSClient
from tests.engine.conftest import Launch
from tests.support import eventually

from lampwork.engine import Engine
from lampwork.errors import StoreUnavailable
from lampwork.place import Server

_THREADS = "dbos-executor-"


@pytest.mark.server
@pytest.mark.parametrize("late", ["begin", "before_cursor_execute", "checkin"])
async def test_what_a_thread_has_at_the_close_is_closed_when_it_gives_it_back(
    launched: Launch, server: str, late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DBOS does not wait for its threads, and what is cancelled goes on there."""
    monkeypatch.setenv("LAMPWORK_DB", server)
    used: list[Any] = []
    there, go_on = threading.Event(), threading.Event()

    def hold(*_: Any) -> None:
        if threading.current_thread().name.startswith(_THREADS):
            there.set()
            assert go_on.wait(60)

    async with launched(_never) as launch:
        tables = launch.engine._database
        await launch.status("any")  # from now on it is DBOS's threads that look
        sa.event.listen(tables, "checkout", lambda connection, *_: used.append(connection))
        if late == "begin":  # DBOS asks by an engine of its own, with the same pool
            begin = sa.Engine.begin
            monkeypatch.setattr(sa.Engine, "begin", lambda each: hold() or begin(each))
        else:
            sa.event.listen(tables, late, hold)
        asking = asyncio.create_task(launch.status("any"))
        await eventually(there.is_set)
        asking.cancel()
    threads = [each for each in threading.enumerate() if each.name.startswith(_THREADS)]
    go_on.set()
    for thread in threads:
        await asyncio.to_thread(thread.join, 60)
    assert threads
    assert used
    assert [each for each in used if not each.closed] == []


@pytest.mark.server
def test_an_engine_that_can_not_begin_leaves_no_connection(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Any] = []

    def refuse(client: DBOSClient, *_: Any, **__: Any) -> None:
        with client._sys_db.engine.begin() as connection:
            used.append(connection.connection.driver_connection)
            connection.exec_driver_sql("select nothing from nowhere")

    monkeypatch.setattr(DBOSClient, "register_queue", refuse)
    with pytest.raises(StoreUnavailable, match="nowhere"):
        Engine(Server(server), version="1")
    assert [each.closed for each in used] == [True]


async def _never(_job_id: str) -> str:
    raise AssertionError
