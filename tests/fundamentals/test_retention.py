"""Retention: a project says for how long it keeps what has ended, and its worker sees to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from lampwork import (
    Answer,
    App,
    Budget,
    Call,
    File,
    Job,
    Metadata,
    Poll,
    Project,
    Retention,
    SkillCall,
    Turn,
    clock,
    playbook,
)
from lampwork.errors import JobNotFound
from lampwork.insights import Insights
from lampwork.models.ask import Told
from lampwork.store import schema
from lampwork.store.processes import leases
from lampwork.upkeep import pruning

from ..support import DEADLINE, eventually, inside, status
from .conftest import Open

DAY = 86400.0

project = Project("shop", retention=Retention(jobs="30d", conversations="90d"))


@project.skill(effect="idempotent")
def draw(order: Metadata[str], call: SkillCall) -> str:
    """Draw a chart."""
    call.save_artifact("chart.txt", order.encode(), "text/plain")
    return "drawn"


@playbook
def clerk(turn: Turn) -> Call | Answer:
    said = [each.text for each in turn.history if isinstance(each, Told)]
    if "before" in turn.instructions:
        return Answer(", ".join(said))
    return Answer("done") if turn.results else Call("draw")


desk = project.genie("desk", model=clerk, job_description="You draw.", skills=[draw])


@playbook
def friend(turn: Turn) -> Answer:
    said = [each.text for each in turn.history if isinstance(each, Told)]
    return Answer(", ".join(said) or "hello")


chats = project.genie("chats", model=friend, job_description="You chat.")


def over(name: str) -> None:
    """What runs at the end."""


@project.recipe()
async def work(job: Job, name: str) -> str:
    job.on_end(over, name)
    job.log(f"works on {name}")
    task = await job.assign_task(
        desk,
        "draw",
        metadata={"order": name},
        files=[File("a.txt", name.encode())],
        budget=Budget(skill_calls=3),
    )
    return task.conversation_id


@project.recipe()
async def waits(job: Job, name: str) -> str:
    return await job.wait_for("go", str)


def nothing() -> list[Any]:
    return [{"id": "first"}, {"id": "second"}]


@project.recipe(triggers=[Poll(nothing, every=3600)])
async def polled(job: Job, item: dict[str, str]) -> str:
    return item["id"]


class Ahead(clock.Clock):
    """Days ahead of the machine's."""

    days = 0.0

    def now(self) -> float:
        return time.time() + self.days * DAY


@pytest.fixture
def ahead() -> Iterator[Ahead]:
    one = Ahead()
    with clock.using(one):
        yield one


async def is_gone(app: App, job_id: str) -> bool:
    try:
        await Insights(app.store).view(job_id)
    except JobNotFound:
        return True
    return False


async def test_what_ended_long_enough_ago_is_deleted_by_itself(opened: Open, ahead: Ahead) -> None:
    async with opened(project) as app:
        done = await app.start(work, name="old")
        talk = await app.result(done)
        await status(app, f"{done}.0.1", "succeeded")  # what runs after it
        waiting = await app.start(waits, name="x")
        await status(app, waiting, "suspended")
    ahead.days = 29
    async with opened(project) as app:
        await pruned(app, after=29)
        recent = await app.start(work, name="recent")
        await app.result(recent)
        await status(app, f"{recent}.0.1", "succeeded")
        assert not await is_gone(app, done)
    ahead.days = 31
    async with opened(project) as app:
        await pruned(app, after=31)
        assert await is_gone(app, done)
        assert not await is_gone(app, recent)
        assert not await is_gone(app, waiting)
        assert await inside(app, app.worker.engine.standings([done])) == {}

        details = await Insights(app.store).conversation(talk)
        assert [each.name for each in details.artifacts] == ["chart.txt"]
        [_, content] = await Insights(app.store).artifact(talk, "chart.txt")
        assert content == b"old"
        assert await Insights(app.store).requests(talk)
        await app.send_event(waiting, "go", "went")
        assert await asyncio.wait_for(app.result(waiting), DEADLINE) == "went"
    ahead.days = 92
    async with opened(project) as app:
        await pruned(app, after=92)
        assert await is_gone(app, recent)
        [left] = (await Insights(app.store).conversations()).items
        assert left.conversation_id != talk


async def pruned(app: App, *, after: float) -> None:
    """Wait until what is old by then has been deleted."""

    async def was() -> bool:
        row = await app.store.read(lambda c: c.execute(sa.select(schema.leases)).first())
        return row is not None and row.executor is None and row.at > time.time() + (after - 1) * DAY

    await eventually(was)


async def test_a_chat_stays_whole_as_long_as_somebody_writes_in_it(
    opened: Open, ahead: Ahead
) -> None:
    async with opened(project) as app:
        first = await app.chat(chats, "one", user="ann")
        chat = {"user": "ann", "conversation": first.conversation_id}
    for month in range(1, 6):
        ahead.days = 31 * month
        async with opened(project) as app:
            await pruned(app, after=ahead.days)
            reply = await app.chat(chats, f"month {month}", **chat)

    assert reply.response == "one, month 1, month 2, month 3, month 4"
    async with opened(project) as app:
        listed = (await Insights(app.store).jobs()).items
    assert len(listed) == 1


async def test_one_executor_at_a_time_does_it_and_then_it_rests(opened: Open, ahead: Ahead) -> None:
    async with opened(Project("another")) as app:
        asked = app.store, "shop", Retention(jobs="30d")
        mine = app.worker.presence.id
        assert await pruning.prune_if_due(*asked, mine) is not None
        assert await pruning.prune_if_due(*asked, "other") is None  # it rests
        ahead.days = 1
        await app.store.write(leases.acquire, "prune shop", mine)
        assert await pruning.prune_if_due(*asked, "other") is None
        await app.store.write(leases.release, "prune shop", mine)
        await app.store.write(leases.acquire, "prune shop", "gone")
        assert await pruning.prune_if_due(*asked, "other") is not None


async def test_of_everything_that_is_written_nothing_is_left_but_what_is_meant_to_stay(
    opened: Open, ahead: Ahead
) -> None:
    async with opened(Project("other")) as app:
        pass
    async with opened(project) as app:
        done = await app.start(work, name="x", idempotency_key="k")
        await app.result(done)
        await status(app, f"{done}.0.1", "succeeded")  # what runs after it
        job = await app.start(waits, name="x")
        await app.send_event(job, "other", "unread")
        await app.send_event(job, "go", "went")
        await app.result(job)
        await app.chat(chats, "hello", user="ann")
        for each in await app.fire(polled):
            await app.result(each)
        ahead.days = 10
        await app.store.write(lambda _: None)
        await pruning.delete(app.store, 5 * DAY)
        left = await app.store.read(_with_rows)

    assert left == {"executors", "writers", "triggers", "polled", "leases"}


def _with_rows(connection: sa.Connection) -> set[str]:
    tables = schema.metadata.tables.values()
    return {each.name for each in tables if connection.execute(sa.select(each)).first() is not None}
