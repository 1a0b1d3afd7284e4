"""Who was killed is found gone by the session that the server has ended; who only lost it is not.

Heartbeats come once an hour here: whoever is found gone is found so by nothing else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from tests.postgres import Cluster
from tests.support import DEADLINE, NEVER, eventually, opened, result, rows, rows_of, sql

from lampwork import Job
from lampwork.errors import StoreUnavailable
from lampwork.place import Server
from lampwork.store.processes import session
from lampwork.store.store import Store
from lampwork.worker import presence as presences
from lampwork.worker.presence import Presence

pytestmark = pytest.mark.server


async def nothing(*_: object) -> None: ...


@asynccontextmanager
async def beside(url: str) -> AsyncIterator[Presence]:
    """Another process that executes, as others see it; in the end it is there no more."""
    store = Store(Server(url))
    presence = Presence(store, "test", "1", limited=False, interval=NEVER)
    beating = None
    try:
        await presence.begin()
        beating = asyncio.create_task(presence.keep_beating(nothing, nothing, nothing))
        shown = f"select session from executors where id = '{presence.id}'"

        async def is_shown() -> bool:
            return await rows_of(store, shown) != [(None,)]

        await eventually(is_shown, "its row never said it")
        yield presence
    finally:
        if beating is not None:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
        await asyncio.to_thread(store.close)


async def test_only_one_whose_row_says_that_it_had_a_session_here_is_found_gone_without(
    project, home, server: str
):
    """An older version has none, and the server's last start has ended those of before it."""
    async with opened(project, home) as app:
        async with (
            beside(server) as killed,
            beside(server) as of_older_code,
            beside(server) as of_before_the_start,
        ):
            said = "update executors set session = {} where id = :id"
            await sql(app, said.format("null"), id=of_older_code.id)
            await sql(app, said.format("'1'"), id=of_before_the_start.id)

        async def found_gone() -> list[str]:
            return [id for (id,) in await rows(app, "select id from executors where closed_at > 0")]

        assert await eventually(found_gone) == [killed.id]


async def test_one_that_is_cut_off_goes_on_under_another_session(
    project, home, server: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
):
    begun: list[str] = []
    go = threading.Event()

    def work() -> str:
        begun.append("work")
        assert go.wait(DEADLINE)
        return "done"

    @project.recipe()
    async def working(job: Job) -> str:
        return await job.options(effect="at_most_once").step(work)

    # However busy the machine is.
    monkeypatch.setattr(session, "GONE_AFTER", NEVER)
    monkeypatch.setattr(presences, "_HOLDS_WITHOUT", NEVER)
    async with beside(server), opened(project, home) as app:
        here = app.worker.presence
        before = await eventually(lambda: here._shown), here.id
        job_id = (await app.start(working)).job_id
        await eventually(lambda: begun)
        with cluster.connect(server.rpartition("/")[2]) as connection:
            ended = "select pg_terminate_backend(pid) from pg_locks where objsubid = 2"
            connection.execute(f"{ended} and locktype = 'advisory'")
        after = await eventually(lambda: here._shown not in (None, before[0]) and here._shown)
        assert (here.id, after.executor, after.server) == (
            *before[1:],
            *before[1:],
            before[0].server,
        )
        go.set()
        assert (await result(app, job_id), begun) == ("done", ["work"])


async def test_one_that_lost_its_session_acts_no_more_until_it_has_said_so(
    server: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(presences, "_HOLDS_WITHOUT", 0.0)
    async with beside(server) as presence:
        assert presence.holds
        with monkeypatch.context() as unheard:
            unheard.setattr(presence, "_beat", nothing)
            presence._store.session.lose()
            assert not presence.holds
            await eventually(lambda: presence._store.session.held is not None)
            assert not presence.holds
        assert await presence._beat()
        assert presence.holds


async def test_a_session_counts_as_shown_though_nobody_heard_that_the_row_names_it(
    server: str, monkeypatch: pytest.MonkeyPatch
):
    """The commit got through, its answer did not: others may miss the session from there on."""
    monkeypatch.setattr(presences, "_HOLDS_WITHOUT", 0.0)
    async with beside(server) as presence:
        presence._shown = None

        async def unanswered(*_: object) -> None:
            raise StoreUnavailable("The server has gone away.")

        with monkeypatch.context() as unheard:
            unheard.setattr(presence._store, "write", unanswered)
            with pytest.raises(StoreUnavailable):
                await presence._beat()
            unheard.setattr(presence, "_beat", nothing)
            assert presence.holds
            presence._store.session.lose()
            assert not presence.holds
