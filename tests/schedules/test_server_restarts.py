"""A server that is stopped, killed, paused, or that ends all sessions, under an open project.

*The database restarts under load, or while failing over: no job stranded; lost notifications cost
< 3 s.* No run takes it for its job's outcome.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.postgres import Cluster
from tests.support import armed, clerk, eventually, once, opened, park, result, status

from lampwork import Job
from lampwork import app as apps
from lampwork.door import Door
from lampwork.engine import engine as engines
from lampwork.errors import StoreUnavailable
from lampwork.place import Server
from lampwork.store.store import Store

pytestmark = pytest.mark.server

begun: list[str] = []
gate = threading.Event()


@pytest.fixture(autouse=True)
def _nothing_begun() -> Iterator[None]:
    begun.clear()
    gate.clear()
    yield
    gate.set()


def stop(cluster: Cluster) -> None:
    cluster.stop()
    cluster.start()


def kill(cluster: Cluster) -> None:
    cluster.kill()
    cluster.start()


def pause(cluster: Cluster) -> None:
    cluster.pause()
    time.sleep(0.3)
    cluster.go_on()


BAD_TIMES = [stop, kill, pause, Cluster.end_sessions]


def held(name: str) -> str:
    """A step that is under way until the test lets it go."""
    begun.append(name)
    gate.wait(60)
    return name


@pytest.fixture
def errand(project):
    @project.skill(effect="idempotent")
    def look() -> str:
        """Look."""
        begun.append("look")
        return "seen"

    genie = clerk(project, look)

    @project.recipe()
    async def errand(job: Job, name: str) -> str:
        first = await job.step(held, name)
        task = await job.assign_task(genie, "Look.")
        await job.sleep(0)
        return f"{first} {task.response}"

    return errand


@pytest.mark.parametrize("bad_time", BAD_TIMES)
async def test_jobs_that_execute_meanwhile_come_to_their_results(
    project, home, errand, cluster: Cluster, bad_time: Callable[[Cluster], None]
):
    async with opened(project, home, sweep_interval=0.2) as app:
        jobs = [(await app.start(errand, name)).job_id for name in "abc"]
        await eventually(lambda: set(begun) >= set("abc"))
        await asyncio.to_thread(bad_time, cluster)
        gate.set()
        found = [await result(app, job_id) for job_id in jobs]
        assert found == ["a done", "b done", "c done"]


@pytest.mark.parametrize("bad_time", [kill, Cluster.end_sessions])
async def test_an_effect_is_not_started_twice_by_it(
    project, home, cluster: Cluster, bad_time: Callable[[Cluster], None]
):
    """What it gave could not be recorded: it goes on, or a person is asked. It never begins
    again."""

    @project.recipe()
    async def payer(job: Job) -> str:
        return await job.options(effect="at_most_once").step(held, "paid")

    async with opened(project, home, sweep_interval=0.2) as app:
        job_id = (await app.start(payer)).job_id
        await eventually(lambda: begun)
        await asyncio.to_thread(bad_time, cluster)
        gate.set()
        await eventually_ended_or_asking(app, job_id)
        assert begun == ["paid"]


async def eventually_ended_or_asking(app, job_id: str) -> None:
    async def there() -> bool:
        try:
            await status(app, job_id, "succeeded", "needs_attention")
        except StoreUnavailable:
            return False
        return True

    await eventually(there)


async def test_what_others_write_is_heard_again_afterwards(
    project, home, server: str, cluster: Cluster
):
    """No sweep finds it here: the notification does, or the look after LISTEN has come back."""

    @project.recipe()
    async def asks(job: Job) -> str:
        return await job.wait_for("word", str)

    async with opened(project, home) as app:
        parked, hot = [(await app.start(asks)).job_id for _ in range(2)]
        await park(app, parked)
        await status(app, hot, "suspended")
        store = Store(Server(server))
        try:
            cluster.end_sessions()
            await Door(project, store).send_event(parked, "word", "at once")
            assert await result(app, parked) == "at once"
            await Door(project, store).send_event(hot, "word", "later")
            assert await result(app, hot) == "later"
        finally:
            await asyncio.to_thread(store.close)


@pytest.mark.parametrize("away", [Cluster.kill, Cluster.pause])
async def test_a_project_closes_without_its_server_and_its_jobs_go_on_with_it(
    project,
    home,
    errand,
    server: str,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    away: Callable[[Cluster], None],
):
    back = {Cluster.kill: Cluster.start, Cluster.pause: Cluster.go_on}[away]
    monkeypatch.setenv("LAMPWORK_DB", server)  # who connects as it closes is as patient as usual
    monkeypatch.setattr(apps, "_PATIENCE", 5.0)  # and so is who closes
    try:
        async with opened(project, home, heartbeat=1.0) as app:
            jobs = [(await app.start(errand, name)).job_id for name in "ab"]
            await eventually(lambda: set(begun) >= set("ab"))
            away(cluster)
            gate.set()
            closing_at = time.monotonic()
        assert time.monotonic() - closing_at < 60
    finally:
        await asyncio.to_thread(back, cluster)
    # It could not say that it ends, so the next one finds it gone by its heartbeat.
    async with opened(project, home, sweep_interval=0.2, heartbeat=1.0) as app:
        assert [await result(app, job_id) for job_id in jobs] == ["a done", "b done"]


async def test_a_session_that_is_ended_while_the_project_opens_is_not_noticed(
    project, home, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
):
    """Seen on a machine with much else to do: the process rested for 3 s in a transaction."""
    register = engines.DBOSClient.register_queue
    end_once = once(cluster.end_sessions)

    def register_slowly(self, *words, **options):
        with self._sys_db.engine.begin() as connection:
            connection.exec_driver_sql("select 1")
            end_once()
            connection.exec_driver_sql("select 1")
        return register(self, *words, **options)

    monkeypatch.setattr(engines.DBOSClient, "register_queue", register_slowly)

    @project.recipe()
    async def quick(job: Job) -> str:
        return "done"

    async with opened(project, home) as app:
        assert await result(app, (await app.start(quick)).job_id) == "done"


async def test_jobs_are_accepted_again_as_soon_as_the_server_is_back(
    project, home, cluster: Cluster
):
    @project.recipe()
    async def quick(job: Job) -> str:
        return "done"

    async with opened(project, home, sweep_interval=0.2) as app:
        cluster.kill()
        try:
            with pytest.raises(StoreUnavailable):
                await app.start(quick, idempotency_key="k")
        finally:
            cluster.start()
        job = await app.start(quick, idempotency_key="k")
        assert await result(app, job.job_id) == "done"
        assert (await app.start(quick, idempotency_key="k")).job_id == job.job_id


async def test_a_job_whose_publication_finds_no_server_is_published_later(
    project, home, cluster: Cluster
):
    @project.recipe()
    async def quick(job: Job) -> str:
        return "done"

    async with opened(project, home, sweep_interval=0.2) as app:
        with armed("job.before_publish", once(lambda: kill(cluster))):
            job_id = (await app.start(quick)).job_id
            assert await result(app, job_id) == "done"
