"""After a restore the world is newer than the database: what was done is found, not done again.

Each test lives twice. In the first life a backup is made, and work goes on after it; the second
begins with the backup and knows nothing of that.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.postgres import Cluster
from tests.support import NEVER

from lampwork import (
    Answer,
    App,
    Call,
    DidNotHappen,
    Happened,
    Job,
    Project,
    Settings,
    SkillCall,
    Turn,
    playbook,
)
from lampwork.insights import Insights
from lampwork.place import Folder, Place, Server
from lampwork.upkeep import backup, restore
from lampwork.views import JobDetails, JobView

project = Project("restored")

world: Counter[str] = Counter()
"""How often each effect was done, by `<what> <key>`."""


def charge(job: Job) -> str:
    world[f"charge {job.step_key()}"] += 1
    return "charged"


def mail(job: Job) -> str:
    world[f"mail {job.step_key()}"] += 1
    return "mailed"


@project.recipe()
async def order(job: Job) -> list[str]:
    await job.wait_for("paid", bool)
    charged = await job.step(charge, job)
    return [charged, await job.options(effect="at_most_once").step(mail, job)]


@project.recipe()
async def orders(job: Job) -> list[str]:
    return await job.call(order)


@project.skill()
def wire(call: SkillCall) -> str:
    """Wire the money. It can be found out whether it was."""
    world[f"wire {call.idempotency_key}"] += 1
    return "wired"


@wire.reconcile
def was_it_wired(call: SkillCall) -> Happened[str] | DidNotHappen:
    return Happened("wired before") if world[f"wire {call.idempotency_key}"] else DidNotHappen()


@playbook
def pays(turn: Turn) -> Call | Answer:
    return Answer(turn.results[0].value) if turn.results else Call("wire")


teller = project.genie("teller", model=pays, job_description="You pay.", skills=[wire])


@project.recipe()
async def payment(job: Job) -> str:
    await job.wait_for("paid", bool)
    return (await job.assign_task(teller, "Pay.")).response


@pytest.fixture(autouse=True)
def _empty_world() -> None:
    world.clear()


Act = Callable[[App], Awaitable[Any]]


class Lives:
    """The first, with its backup, and the second, which begins with that."""

    def __init__(self, folder: Path, cluster: Cluster, second: str) -> None:
        self._folder = folder
        self._cluster = cluster
        self._second = second

    async def live(self, first: Act, then: Act) -> None:
        """Live up to a backup and beyond it, then restore that."""
        place = Settings.load(home=None).place
        async with project.open(settings=_patient(place)) as app:
            await first(app)
            made_at = await self._back_up(place)
            await then(app)
        await self._restore(place, made_at)

    @asynccontextmanager
    async def again(self) -> AsyncIterator[App]:
        """The second life."""
        async with project.open(settings=_patient(self.restored)) as app:
            yield app

    @property
    def restored(self) -> Place:
        """Where the second life is."""
        there = Settings.load(home=None).place
        return Server(self._second) if isinstance(there, Server) else Folder(self._folder / "again")

    async def _back_up(self, place: Place) -> float:
        if isinstance(place, Folder):
            made = await asyncio.to_thread(backup.make, place, self._folder / "backup")
            return made.made_at
        made_at = time.time()
        options = ["--format=custom", "--schema=lampwork", "--schema=dbos"]
        file = f"--file={self._folder / 'dump'}"
        await asyncio.to_thread(self._cluster.client, "pg_dump", *options, file, place.url)
        return made_at

    async def _restore(self, place: Place, made_at: float) -> None:
        if isinstance(place, Folder):
            again = restore.restore, self._folder / "backup", self.restored
            await asyncio.to_thread(*again, by="ann")
            return
        options = ["--no-owner", "--exit-on-error", f"--dbname={self._second}"]
        await asyncio.to_thread(
            self._cluster.client, "pg_restore", *options, str(self._folder / "dump")
        )
        await asyncio.to_thread(restore.mark, self.restored, backup_at=made_at, by="ann")


def _patient(place: Place) -> Settings:
    """However busy the machine is, no run is over because no heartbeat got through."""
    given: dict[str, Any] = {"sweep_interval": 0.2, "park_after": NEVER, "heartbeat": NEVER}
    if isinstance(place, Server):
        return Settings.load(db=place.url, **given)
    return Settings(place.path, **given)


@pytest.fixture
def lives(tmp_path: Path, cluster: Cluster) -> Iterator[Lives]:
    with cluster.database(empty=True) as second:
        yield Lives(tmp_path, cluster, f"{second}?connect_timeout=60")


async def nothing(app: App) -> None:
    """Nobody wants anything."""


async def shown(app: App, job_id: str) -> JobDetails:
    return await Insights(app.store).job(job_id)


async def ids(app: App, **wanted: Any) -> list[str]:
    return [each.job_id for each in (await Insights(app.store).jobs(**wanted)).items]


async def asked_for(app: App, job_id: str) -> Any:
    """What a person is asked about a job."""

    def questions(job: JobView) -> list[Any]:
        return [each for each in _all_waits(job.waiting_on) if each.kind == "resolution"]

    async with asyncio.timeout(60):
        while not (found := questions(await Insights(app.store).view(job_id))):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found[0]


def _all_waits(waits: Any) -> list[Any]:
    return [each for wait in waits for each in (wait, *_all_waits(wait.waiting_on))]


@pytest.mark.parametrize("recipe", [order, orders])
async def test_steps_have_the_keys_that_they_had_and_at_most_once_ones_are_asked_for(
    lives: Lives, recipe: Any
) -> None:
    jobs: list[str] = []

    async def first(app: App) -> None:
        jobs.append(await app.start(recipe))

    async def then(app: App) -> None:
        await pay(app, jobs[0])
        await app.result(jobs[0])

    async def pay(app: App, job_id: str) -> None:
        waiting = f"{job_id}.1" if recipe is orders else job_id
        async with asyncio.timeout(60):
            while waiting not in await ids(app):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await app.send_event(waiting, "paid", True)

    await lives.live(first, then)
    done = dict(world)
    async with lives.again() as app:
        await pay(app, jobs[0])
        question = await asked_for(app, jobs[0])
        assert f"mail {question.subject['key']}" in done
        assert "restored from a backup of" in question.subject["why"]
        view = await shown(app, jobs[0])
        assert view.restored is not None
        assert view.restored.by == "ann"
        assert jobs[0] in await ids(app, restored=True)
        await app.resolve(question.wait_id, "happened", result="mailed before", by="ann")
        assert await app.result(jobs[0]) == ["charged", "mailed before"]
    assert set(world) == set(done), "an effect has one key in both lives"
    assert sorted(world.values()) == [1, 2], "what has a key is done again under it, mail is not"


async def test_a_step_that_did_not_happen_is_done_with_a_persons_word(lives: Lives) -> None:
    jobs: list[str] = []

    async def first(app: App) -> None:
        jobs.append(await app.start(order))

    await lives.live(first, nothing)
    async with lives.again() as app:
        await app.send_event(jobs[0], "paid", True)
        question = await asked_for(app, jobs[0])
        await app.resolve(question.wait_id, "did_not_happen", by="ann")
        assert await app.result(jobs[0]) == ["charged", "mailed"]


async def test_a_skill_call_is_found_by_its_key_and_not_repeated(lives: Lives) -> None:
    jobs: list[str] = []

    async def first(app: App) -> None:
        jobs.append(await app.start(payment))

    async def then(app: App) -> None:
        await app.send_event(jobs[0], "paid", True)
        await app.result(jobs[0])

    await lives.live(first, then)
    async with lives.again() as app:
        await app.send_event(jobs[0], "paid", True)
        assert await app.result(jobs[0]) == "wired before"
        [_, assigned] = (await shown(app, jobs[0])).calls
        assert assigned.task is not None
        [card] = assigned.task.skill_calls
        assert (card.status, card.source) == ("ok", "reconcile")
        assert "restored from a backup" in str(card.notes)
    assert list(world.values()) == [1]


async def test_a_skill_call_that_no_key_finds_is_a_persons_to_decide(lives: Lives) -> None:
    """The genie may have asked for it in another turn, under another key."""
    jobs: list[str] = []

    async def first(app: App) -> None:
        jobs.append(await app.start(payment))

    await lives.live(first, nothing)
    async with lives.again() as app:
        await app.send_event(jobs[0], "paid", True)
        question = await asked_for(app, jobs[0])
        assert "nothing has happened under this key" in question.subject["why"]
        assert world.total() == 0
        await app.resolve(question.wait_id, "did_not_happen", by="ann")
        assert await app.result(jobs[0]) == "wired"
    assert list(world.values()) == [1]


async def test_nothing_is_asked_once_a_person_says_that_all_is_known(lives: Lives) -> None:
    jobs: list[str] = []

    async def first(app: App) -> None:
        jobs.append(await app.start(order))

    await lives.live(first, nothing)
    assert await asyncio.to_thread(restore.close, lives.restored) == 1
    async with lives.again() as app:
        await app.send_event(jobs[0], "paid", True)
        assert await app.result(jobs[0]) == ["charged", "mailed"]


async def test_a_job_that_is_new_after_the_restore_is_like_any_other(lives: Lives) -> None:
    await lives.live(nothing, nothing)
    async with lives.again() as app:
        job = await app.start(order)
        await app.send_event(job, "paid", True)
        assert await app.result(job) == ["charged", "mailed"]


async def test_a_request_that_is_repeated_has_the_keys_that_it_had(lives: Lives) -> None:
    """Its job is lost, and the one that it makes anew has another id."""

    async def then(app: App) -> None:
        job = await app.start(order, idempotency_key="order 7")
        await app.send_event(job, "paid", True)
        await app.result(job)

    await lives.live(nothing, then)
    done = dict(world)
    async with lives.again() as app:
        job = await app.start(order, idempotency_key="order 7")
        await app.send_event(job, "paid", True)
        question = await asked_for(app, job)
        assert f"mail {question.subject['key']}" in done
        await app.resolve(question.wait_id, "happened", result="mailed before", by="ann")
        await app.result(job)
        other = await app.start(order, idempotency_key="order 8")
        assert (await shown(app, other)).restored is not None
    assert set(world) == set(done)
