"""Triggers start jobs by themselves: each item that a poll finds once, each time of a cron once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from lampwork import App, Cron, Job, Poll, Polled, Project, clock
from lampwork.errors import PollFailed, RecipeNotFound, TriggerNotFound

from .conftest import Open

project = Project("triggers")

orders: list[dict[str, Any]] = []


def open_orders() -> list[dict[str, Any]]:
    """A poll's function: all open orders, every time."""
    return list(orders)


async def orders_after(cursor: int | None) -> Polled:
    """Or only those that came after the last one that it returned."""
    return Polled(orders[cursor or 0 :], cursor=len(orders))


@project.recipe(triggers=[Poll(open_orders, every=0.05, key="number")])
async def ship(job: Job, order: dict[str, Any]) -> str:
    return f"{job.trigger.kind} {job.trigger.key}: {order['item']}"


@project.recipe(triggers=[Poll(orders_after, every=3600, key="number")])
async def thank(job: Job, number: int, item: str) -> str:
    return f"thanks for {item} {number}"


@project.recipe(triggers=[Cron("0 6 * * *", timezone="Europe/Berlin")])
async def report(job: Job, day: str = "today") -> str:
    by = job.trigger.by or "nobody"
    return f"{job.trigger.kind} at {job.trigger.scheduled_at} by {by}: {day}"


@pytest.fixture(autouse=True)
def _no_orders() -> None:
    orders.clear()


async def results(app: App, recipe: str, count: int) -> list[str]:
    """What the recipe's jobs returned, once there are that many."""
    from lampwork.insights import Insights

    insights = Insights(app.store)
    async with asyncio.timeout(60):
        while len(found := (await insights.jobs(recipe=recipe)).items) < count:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert len(found) == count
    return [await app.result(job.job_id) for job in reversed(found)]


def now() -> datetime:
    """By the clock of the jobs, which may be that of a server."""
    return datetime.fromtimestamp(clock.now(), UTC)


async def test_a_poll_starts_a_job_for_each_item_it_has_not_seen(opened: Open) -> None:
    orders.append({"number": 1, "item": "lamp"})
    async with opened(project, triggers=True) as app:
        assert await results(app, "ship", 1) == ["poll 1: lamp"]
        orders.append({"number": 2, "item": "vase"})
        assert await results(app, "ship", 2) == ["poll 1: lamp", "poll 2: vase"]
    async with opened(project, triggers=True) as app:
        orders.append({"number": 3, "item": "fan"})
        assert (await results(app, "ship", 3))[-1] == "poll 3: fan"


async def test_triggers_are_fired_by_hand_wherever_the_project_is_open(opened: Open) -> None:
    orders.append({"number": 1, "item": "lamp"})
    async with opened(project) as app:
        [job] = await app.fire(thank)
        assert await app.result(job) == "thanks for lamp 1"
        assert await app.fire(thank) == []

        before = now()
        [job] = await app.fire(report, by="ann")
        _, _, day, time, _, by, *_ = (await app.result(job)).split()
        assert before <= datetime.fromisoformat(f"{day} {time}") <= now()
        assert by == "ann:"


async def test_a_scheduled_recipe_is_also_started_with_a_payload(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(report, day="Monday") == "api at None by nobody: Monday"


async def test_a_paused_trigger_starts_nothing_until_it_is_started(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.fire(ship) == []
        await app.pause_trigger("ship", by="ann", why="the van is broken")
    orders.append({"number": 1, "item": "lamp"})
    async with opened(project, triggers=True) as app:
        assert await results(app, "thank", 1) == ["thanks for lamp 1"]
        assert await results(app, "ship", 0) == []
        await app.start_trigger("ship", by="ben")
        assert await results(app, "ship", 1) == ["poll 1: lamp"]


async def test_what_can_not_be_fired_says_so(opened: Open) -> None:
    orders.append({"item": "has no number"})
    async with opened(project) as app:
        assert await app.fire(ship) == []
        with pytest.raises(RecipeNotFound):
            await app.fire("shop")
        with pytest.raises(TriggerNotFound, match=r"has no trigger .*It has: poll-"):
            await app.fire(ship, trigger="cron @daily UTC")
        with pytest.raises(TriggerNotFound, match="has no triggers"):
            await app.fire(by_hand)
        orders[0] = None  # type: ignore[call-overload]
        assert await app.fire(ship) == []
        with pytest.raises(PollFailed, match="slow raised ValueError: the shop is closed"):
            await app.fire(opens_late)


@project.recipe
async def by_hand(job: Job) -> None: ...


def slow() -> list[Any]:
    raise ValueError("the shop is closed")


@project.recipe(triggers=[Poll(slow, every=3600)])
async def opens_late(job: Job) -> None: ...
