"""Several workers at one server: one is killed, stopped and continued, told to end, or replaced."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.crash import fleet, service
from tests.crash.around import ROOT
from tests.support import eventually
from tests.warm import Warm

from lampwork.door import Door
from lampwork.genies.cast import Cast
from lampwork.insights import Insights
from lampwork.place import Server
from lampwork.store.processes import executors
from lampwork.store.store import Store

BEAT = 3.0
"""Seconds between heartbeats, where their lack is what is tested; who is late for two may begin
nothing, and for three has lost its jobs, so they are no more often than a busy machine can have
them."""

SELDOM = 120.0
"""Seconds between heartbeats, or sweeps, where neither may be what brings things about."""

SOON = 60.0
"""Seconds for all that is waited for, on a machine with much else to do."""


class Member:
    """A worker, and what it has said."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.said: list[str] = []
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        with self.process.stdout as out:
            for line in out:
                self.said.append(line.strip())

    def count(self, start: str) -> int:
        """How many lines begin so."""
        return sum(line.startswith(start) for line in self.said)

    async def says(self, start: str, times: int = 1) -> None:
        """Wait until it has said so many lines that begin so."""
        until = f"it never said {start!r} {times} times"
        await eventually(lambda: self.count(start) >= times, until, SOON)

    async def stops(self, times: int = 1) -> None:
        """Wait until it has stopped itself so often, which it says before."""
        await self.says("stopped", times)
        stat = Path(f"/proc/{self.process.pid}/stat")
        await eventually(lambda: ") T " in stat.read_text(), "it has not stopped", SOON)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended; how it did."""
        await eventually(lambda: self.process.poll() is not None, "it runs on", SOON)
        return self.process.returncode

    def close(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(SOON)
        self._listening.join(SOON)


class Fleet:
    """Workers at one server, the door of a process beside them, and what they have done."""

    def __init__(self, url: str, warm: Warm, folder: Path, effects: Path, name: str) -> None:
        self._url, self._warm, self._folder, self._effects = url, warm, folder, effects
        self.load = name
        self.store = Store(Server(url))
        self.door = Door(fleet.project, self.store, cast=Cast(None))
        self.members: list[Member] = []

    async def start(
        self, *, version: str = "1", stops_at: tuple[str, ...] = (), **settings: Any
    ) -> Member:
        """A worker that executes."""
        seldom = {"heartbeat": SELDOM, "sweep_interval": SELDOM, "grace": 1.0}
        settings = {"db": self._url} | seldom | settings
        order = json.dumps({"version": version, "stops_at": stops_at, "settings": settings})
        log = (self._folder / f"stderr {len(self.members)}").open("w")
        with log:
            words = ("-m", "tests.crash.fleet", order)
            process = self._warm.start(words, cwd=ROOT, stderr=log.fileno())
        self.members.append(Member(process))
        await self.members[-1].says("ready")
        return self.members[-1]

    async def accept(self, recipe: Any, count: int = 1) -> list[str]:
        """Jobs, accepted by this process, which executes nothing."""
        return [(await self.door.start(recipe, load=self.load)).job_id for _ in range(count)]

    def open(self, *gates: str) -> None:
        for each in gates:
            (self._folder / f"{self.load} {each}").touch()

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        return await self.store.read(
            lambda connection: [tuple(each) for each in connection.execute(sa.text(query))]
        )

    async def all_end(self, status: str = "succeeded") -> None:
        """Wait until every job has ended so."""

        async def ended() -> bool:
            counted = await self.rows("select status, count(*) from jobs group by status")
            return [each for each, _ in counted] == [status]

        await eventually(ended, "some job has not ended", SOON)

    async def wants(self, want: str, count: int) -> None:
        """Wait until so many jobs are meant to do this."""

        async def wanted() -> bool:
            query = f"select count(*) from jobs where want = '{want}' and started_at is not null"
            return await self.rows(query) == [(count,)]

        await eventually(wanted, f"there never were {count} {want}", SOON)

    async def in_charge(self) -> list[int]:
        """The processes in charge of each job, the oldest job first."""
        query = "select pid from jobs join executors e on e.id = executor order by jobs.id"
        return [pid for (pid,) in await self.rows(query)]

    async def fires(self, member: Member) -> None:
        """Wait until it is this worker that lets triggers fire."""

        async def fires() -> bool:
            found = await Insights(self.store).workers()
            return [each.pid for each in found if each.fires_triggers] == [member.process.pid]

        await eventually(fires, "another one lets triggers fire", SOON)

    async def lives_of(self, member: Member, count: int) -> None:
        """Wait until a worker executes under so many ids, the last one alive."""
        query = f"select closed_at from executors where pid = {member.process.pid} order by beat_at"

        async def lived() -> bool:
            closed = [at is not None for (at,) in await self.rows(query)]
            return sorted(closed, reverse=True) == [True] * (count - 1) + [False]

        await eventually(lived, f"it never began anew: {count}", SOON)

    def done(self) -> dict[str, Counter[str]]:
        """How often each effect was done, by key."""
        return service.effects(self._effects, self.load)

    async def does(self, effect: str, times: int) -> None:
        """Wait until an effect is done so often: who says that it is in it has yet to ask."""

        def is_done() -> bool:
            return self.done().get(effect, Counter()).total() >= times

        await eventually(is_done, f"{effect} was not done {times} times", SOON)

    def close(self) -> None:
        for each in self.members:
            each.close()
        self.store.close()


@pytest.fixture
async def workers(
    server: str,
    warm: Warm,
    tmp_path: Path,
    effects_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Fleet]:
    monkeypatch.setenv(fleet.GATES, str(tmp_path))
    found = await asyncio.to_thread(Fleet, server, warm, tmp_path, effects_file, request.node.name)
    yield found
    await asyncio.to_thread(found.close)


async def test_the_jobs_of_a_worker_that_was_killed_go_on_at_another(workers: Fleet) -> None:
    """It never comes back: what was done is not done again, what was under way has the same key.

    The others see it by its session: the next heartbeat would be in two minutes.
    """
    killed = await workers.start(park_after=0.1)
    await workers.accept(fleet.visit, 2)
    await workers.wants("parked", 2)
    await workers.accept(fleet.errand, 3)
    await workers.accept(fleet.payment)
    workers.open("a")
    await killed.says("in post", 6)
    await killed.says("in pay")
    await workers.does("post b", 3)
    await workers.does("pay first", 1)
    other = await workers.start()
    assert other.said == ["ready"]
    await workers.fires(killed)

    killed.signal(signal.SIGKILL)

    await workers.fires(other)
    await other.says("in post", 3)
    await other.says("in pay")
    workers.open("b", "first", "second")
    for (job_id,) in await workers.rows("select id from jobs where callable = 'visit'"):
        await workers.door.send_event(job_id, "colour", "red")
    await workers.all_end()
    done = workers.done()
    assert [len(done[each]) for each in ("post a", "post b", "pay first", "pay second")] == [
        *(3, 5, 1, 1)
    ]
    assert set(done["post a"].values()) == {1}
    assert sorted(done["post b"].values()) == [1, 1, 2, 2, 2]
    assert (set(done["pay first"].values()), set(done["pay second"].values())) == ({2}, {1})


async def test_a_worker_that_was_stopped_and_replaced_records_nothing_when_it_is_continued(
    workers: Fleet,
) -> None:
    """Frozen in the middle of a skill call, after its intent; the other does the call again, under
    the same key, and goes on to the next. Then the first one comes back with its result."""
    stopped = await workers.start(heartbeat=BEAT)
    await workers.accept(fleet.payment)
    await workers.accept(fleet.errand)
    await stopped.says("in pay")
    await stopped.says("in post")
    successor = await workers.start(heartbeat=BEAT)

    stopped.signal(signal.SIGSTOP)
    await successor.says("in pay")
    await successor.says("in post")
    workers.open("first", "a")
    await successor.says("in pay", 2)
    await successor.says("in post", 2)
    before = await workers.rows("select count(*) from entries")
    stopped.signal(signal.SIGCONT)
    await workers.lives_of(stopped, 2)
    assert await workers.rows("select count(*) from entries") == before
    workers.open("second", "b")
    await workers.all_end()

    assert stopped.count("in ") == 2  # it has begun nothing more
    kinds = [kind for (kind,) in await workers.rows("select kind from entries order by seq")]
    assert Counter(kinds) == {"told": 1, "said": 3, "intent": 2, "result": 2, "answered": 1}
    assert all(len(keys) == 1 for keys in workers.done().values())
    assert workers.done()["pay second"].total() == workers.done()["post b"].total() == 1


async def test_a_worker_that_is_continued_before_its_successor_has_claimed_goes_no_further(
    workers: Fleet,
) -> None:
    """The other has found it gone, and stands where it was about to begin the job."""
    stopped = await workers.start(heartbeat=BEAT)
    await workers.accept(fleet.payment)
    await stopped.says("in pay")
    successor = await workers.start(heartbeat=BEAT, stops_at=("job.claimed",))

    stopped.signal(signal.SIGSTOP)
    await successor.stops()
    workers.open("first", "second")
    before = await workers.rows("select count(*) from entries")
    stopped.signal(signal.SIGCONT)
    await workers.lives_of(stopped, 2)
    assert await workers.rows("select count(*) from entries") == before
    successor.signal(signal.SIGCONT)
    await workers.all_end()

    kinds = Counter(kind for (kind,) in await workers.rows("select kind from entries"))
    assert kinds == {"told": 1, "said": 3, "intent": 2, "result": 2, "answered": 1}
    assert all(len(keys) == 1 for keys in workers.done().values())


async def test_a_job_that_was_cancelled_while_its_worker_was_frozen_is_not_left_in_the_engine(
    workers: Fleet,
) -> None:
    """It hands the job to the engine as it is continued, and is killed before it takes it back."""
    frozen = await workers.start(park_after=0.1, stops_at=("job.claimed", "wake.forgotten"))
    [job_id] = await workers.accept(fleet.visit)
    await frozen.stops()
    frozen.signal(signal.SIGCONT)

    async def there(*expected: str) -> bool:
        found = await workers.rows("select status from dbos.workflow_status")
        return [status for (status,) in found] == [*expected]

    await eventually(lambda: there("CANCELLED"), "it was not parked to the end", SOON)
    await workers.door.send_event(job_id, "colour", "red")
    await frozen.stops(2)  # the engine has forgotten the job, and is to have it again
    await workers.start(sweep_interval=0.2)
    await workers.door.cancel(job_id)
    [(gone, beats)] = await workers.rows(
        f"select id, beats from executors where pid = {frozen.process.pid}"
    )
    await workers.store.write(executors.bury, {gone: beats})
    await workers.all_end("cancelled")
    assert await there()

    frozen.signal(signal.SIGCONT)
    await frozen.stops(3)  # it has it
    frozen.signal(signal.SIGKILL)

    await eventually(lambda: there("CANCELLED"), "the engine has it yet", SOON)
    assert await workers.rows("select executor_id from dbos.workflow_status") == [(gone,)]
    assert workers.done() == {}


async def test_a_worker_that_is_told_to_end_leaves_its_jobs_to_another_at_once(
    workers: Fleet,
) -> None:
    """Nobody waits for a heartbeat, or a sweep: the next one would be in a minute."""
    ending = await workers.start(park_after=0.1)
    await workers.accept(fleet.visit)
    await workers.wants("parked", 1)
    await workers.accept(fleet.errand, 2)
    await ending.says("in post", 2)
    other = await workers.start()

    ending.signal(signal.SIGTERM)
    await ending.says("closing")
    workers.open("a")  # what executes gets its grace
    assert await ending.ended() == 0
    await workers.fires(other)
    await other.says("in post", 2)
    [(job_id,)] = await workers.rows("select id from jobs where callable = 'visit'")
    await workers.door.send_event(job_id, "colour", "red")
    workers.open("b")
    await workers.all_end()

    assert set(workers.done()["post b"].values()) == {1}


async def test_what_an_older_version_has_parked_is_woken_by_the_newest(workers: Fleet) -> None:
    """Which begins all that is new, too; what the older one executes it finishes."""
    older = await workers.start(version="1", park_after=0.1)
    [parked] = await workers.accept(fleet.visit)
    await workers.wants("parked", 1)
    [executing] = await workers.accept(fleet.errand)
    await older.says("in post")
    newer = await workers.start(version="2")

    await workers.door.send_event(parked, "colour", "red")
    await newer.says(f"woken {parked}")
    workers.open("a", "b")
    await workers.all_end()

    assert newer.count(f"in post {workers.load} b of {parked}") == 1
    assert older.count(f"in post {workers.load} b of {executing}") == 1
    assert newer.count("in post") == 1
    await workers.accept(fleet.errand, 8)
    await workers.all_end()
    assert newer.count("in post") == 1 + 16


async def test_the_items_of_a_map_for_which_a_worker_has_no_room_are_done_by_another(
    workers: Fleet,
) -> None:
    full = await workers.start(max_live=2)
    await workers.accept(fleet.payments)
    await full.says("in pay", 2)  # the job above them waits, and has made way
    other = await workers.start()

    await other.says("in pay", 2)
    workers.open("first", "second")
    await workers.all_end()

    assert (full.count("in pay"), other.count("in pay")) == (4, 4)
    assert all(len(keys) == 4 for keys in workers.done().values())


async def test_a_tree_that_is_spread_over_workers_is_cancelled_from_below(workers: Fleet) -> None:
    """The job at the top ends last, so that it can name all that nobody knows of."""
    full = await workers.start(max_live=2, grace=0.2)
    [job] = await workers.accept(fleet.payments)
    await full.says("in pay", 2)
    other = await workers.start(grace=1.0)
    await other.says("in pay", 2)

    await workers.door.cancel(job)
    ended = await asyncio.wait_for(workers.door.ended(job), SOON)

    statuses = await workers.rows("select status, count(*) from jobs group by status")
    assert statuses == [("cancelled", 5)]
    effects = json.loads(ended.outcome)["error"]["fields"]["effects"]
    assert [each["skill"] for each in effects] == ["pay"] * 4


async def test_what_a_third_process_says_reaches_the_worker_that_has_the_job(
    workers: Fleet,
) -> None:
    """An answer, a cancel, a new job: told by the server, and by no sweep."""
    workers.open("a", "b")
    one = await workers.start()
    jobs = await workers.accept(fleet.visit, 2)
    await workers.wants("run", 2)
    another = await workers.start()
    one.signal(signal.SIGSTOP)  # so that the other takes these
    jobs += await workers.accept(fleet.visit, 2)
    await workers.wants("run", 4)
    one.signal(signal.SIGCONT)
    pids = [one.process.pid, another.process.pid]
    charge = await workers.in_charge()
    assert set(charge) == set(pids)

    by_worker = [[job for job, by in zip(jobs, charge, strict=True) if by == pid] for pid in pids]
    for answered, *_ in by_worker:
        await workers.door.send_event(answered, "colour", "red")
        assert await asyncio.wait_for(workers.door.result(answered), SOON) == "red"
    for *_, cancelled in by_worker:
        await workers.door.cancel(cancelled)
        ended = await asyncio.wait_for(workers.door.ended(cancelled), SOON)
        assert ended.status == "cancelled"
    [queued] = await workers.accept(fleet.errand)
    assert await asyncio.wait_for(workers.door.result(queued), SOON) == "done"


async def test_two_that_find_a_third_gone_at_once_go_on_with_each_job_once(
    workers: Fleet,
) -> None:
    """They miss its session; neither may be taken for dead itself, should it stand still."""
    killed = await workers.start()
    await workers.accept(fleet.errand, 8)
    workers.open("a")
    await killed.says("in post", 16)
    await workers.does("post b", 8)
    reapers = [await workers.start() for _ in range(2)]

    killed.signal(signal.SIGKILL)

    def gone_on() -> bool:
        return sum(each.count("in post") for each in reapers) >= 8

    await eventually(gone_on, "some job did not go on", SOON)
    workers.open("b")
    await workers.all_end()

    begun = Counter(line for each in reapers for line in each.said if line.startswith("in post"))
    assert (len(begun), set(begun.values())) == (8, {1})
    assert sorted(workers.done()["post b"].values()) == [2] * 8
    assert sorted(workers.done()["post a"].values()) == [1] * 8
