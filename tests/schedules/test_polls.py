"""When polls fire, at a clock that the test sets: each item starts one job, ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from tests.behind import place_at
from tests.schedules.scheduling import HOUR, Clock, executing, fired, look, started
from tests.support import (
    eventually,
    inside,
    opened,
    refused,
    rows,
    sql,
    status,
)

from lampwork import App, Cron, Job, Poll, Polled, Project
from lampwork.door import Door
from lampwork.errors import PollFailed
from lampwork.store import schema
from lampwork.store.store import Store
from lampwork.store.triggers import triggers

shop: list[Any] = []
"""What the shop offers."""

cursors: list[Any] = []
"""With which cursors it was asked."""

gates: list[Callable[[], Any]] = []
"""What it does before it answers."""


@pytest.fixture(autouse=True)
def _empty_shop() -> None:
    for each in (shop, cursors, gates):
        each.clear()


def orders() -> list[Any]:
    for gate in gates:
        gate()
    return list(shop)


async def orders_after(cursor: int | None) -> Polled:
    cursors.append(cursor)
    for gate in gates:
        await gate()
    return Polled(shop[cursor or 0 :], len(shop))


class Order(BaseModel):
    id: int
    item: str


async def ship(job: Job, order: Order) -> str:
    return f"{order.item} {job.trigger.key}"


async def ship_item(job: Job, item: str, gift: bool = False) -> str:
    return f"{item} {gift}"


def order(number: int, item: str = "lamp") -> dict[str, Any]:
    return {"id": number, "item": item}


async def the_error(app: App, recipe: str = "ship") -> str | None:
    query = sa.select(schema.triggers.c.error).where(schema.triggers.c.recipe == recipe)
    [(error,)] = await rows(app, query)
    return error and error["message"]


async def rejected(app: App) -> dict[str, str]:
    found = await rows(app, "select key, rejected from polled where rejected is not null")
    return dict(found)  # type: ignore[arg-type]


async def nightly(job: Job) -> None: ...


def cron(project: Project) -> None:
    project.recipe(triggers=[Cron("@hourly")])(nightly)


def poll(project: Project, fn: Any = orders, of: Any = ship, **given: Any) -> None:
    project.recipe(triggers=[Poll(fn, every=HOUR, **given)])(of)


async def test_each_item_starts_one_job_ever(project: Project, home: Path, clock: Clock) -> None:
    poll(project)
    shop.extend([order(1), order(2)])
    async with executing(project, home, clock) as app:
        assert await started(app) == ["1", "2"]
        shop[:] = [order(2, "changed"), order(3), order(3), order(1)]
        clock.hours = 0.9
        await look(app)
        assert await started(app) == ["1", "2"], "an hour has not passed"
        clock.hours = 1
        await look(app)
        assert await started(app) == ["1", "2", "3"]
    clock.hours = 9
    async with executing(project, home, clock) as app:
        assert await started(app) == ["1", "2", "3"], "nor after a restart"
        *_, (job_id,) = await rows(app, "select id from jobs order by id")
        row = await status(app, job_id, "succeeded")
        assert row.trigger == {"kind": "poll", "trigger": f"poll {__name__}:orders", "key": "3"}
        assert await app.result(job_id) == "lamp 3"


async def test_items_of_any_type_are_recorded_and_may_be_typed(
    project: Project, home: Path, clock: Clock
) -> None:
    poll(project)
    shop.append(Order(id=7, item="vase"))
    async with executing(project, home, clock) as app:
        [(job_id, given)] = await rows(app, sa.select(schema.jobs.c.id, schema.jobs.c.input))
        assert given == {"order": {"id": 7, "item": "vase"}}
        await status(app, job_id, "succeeded")


async def test_several_parameters_are_fields_of_the_item(
    project: Project, home: Path, clock: Clock
) -> None:
    poll(project, of=ship_item, key=lambda each: each["number"])
    shop.extend([{"number": 1, "item": "lamp", "gift": True, "more": "is left out"}, {"number": 2}])
    async with executing(project, home, clock) as app:
        [(given,)] = await rows(app, sa.select(schema.jobs.c.input))
        assert given == {"item": "lamp", "gift": True}
        assert await rejected(app) == {"2": "The input of ship_item does not fit: item: missing."}


async def test_an_item_that_does_not_fit_is_rejected_and_the_others_start(
    project: Project, home: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    poll(project)
    nan = {"id": 5, "item": float("nan")}
    shop.extend([order(1), {"id": 2}, {"item": "no key"}, object(), {"id": True}, nan, order(6)])
    async with executing(project, home, clock) as app:
        assert await started(app) == ["1", "6"]
        found = await rejected(app)
        assert found["2"] == "The input of ship does not fit: order.item: Field required."
        assert found["5"].endswith("Out of range float values are not JSON compliant")
        assert set(found.values()) >= {
            "it has no key: KeyError: 'id'",
            "it has no key: TypeError: True is no text, number or UUID",
            "Unable to serialize unknown type: <class 'object'>",
        }
        assert len(found) == 5
        told = [each.message for each in caplog.records if "no input of it" in each.message]
        assert len(told) == 1
        assert told[0].endswith(
            "5 items that are new are no input of it; why: lampwork trigger ship"
        )
        clock.hours = 1
        await look(app)
        assert await rejected(app) == found
        again = [each.message for each in caplog.records if "no input of it" in each.message]
        assert again == told, "each is told once"
        shop[1] = order(2)
        clock.hours = 2
        await look(app)
        assert await started(app) == ["1", "6", "2"], "it fits now"
        assert "2" not in await rejected(app)


async def test_a_cursor_is_kept_with_the_jobs(project: Project, home: Path, clock: Clock) -> None:
    poll(project, orders_after)
    shop.extend([order(1), order(2)])
    async with executing(project, home, clock) as app:
        clock.hours = 1
        await look(app)
    shop.append(order(3))
    clock.hours = 2
    async with executing(project, home, clock) as app:
        assert cursors == [None, 2, 2]
        assert await started(app) == ["1", "2", "3"]


async def test_a_poll_whose_commit_is_refused_is_done_again_with_its_cursor(
    project: Project, home: Path, clock: Clock
) -> None:
    poll(project, orders_after)
    async with executing(project, home, clock) as app:
        shop.append(order(1))
        clock.hours = 1
        with refused(triggers, "take"):
            await look(app)
        await look(app)
        assert (await started(app), cursors) == ([], [None, 0]), "the database gets a rest"
        clock.hours = 1 + 5 / HOUR
        await look(app)
        assert (await started(app), cursors) == (["1"], [None, 0, 0])


async def test_a_look_that_has_read_before_a_poll_ended_polls_no_second_time(
    project: Project, home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll(project, orders_after)
    async with executing(project, home, clock) as app:
        read, may_end = app.schedule._rows, asyncio.Event()

        async def read_before() -> Any:
            found = await read()
            may_end.set()
            await eventually(lambda: not app.schedule._polls)
            return found

        gates.append(may_end.wait)
        clock.hours = 1
        await inside(app, app.schedule.look())
        monkeypatch.setattr(app.schedule, "_rows", read_before)
        await look(app)
        assert cursors == [None, 0]


async def test_a_pause_counts_for_a_look_that_has_read_before_it(
    project: Project, home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll(project)
    async with executing(project, home, clock) as app:
        read, order_of_ann = app.schedule._rows, {"by": "ann", "at": 0.0, "why": None}

        def pause(connection: sa.Connection) -> None:
            connection.execute(sa.update(schema.triggers).values(paused=order_of_ann))

        async def read_before() -> Any:
            found = await read()
            await app.store.write(pause)
            return found

        shop.append(order(1))
        clock.hours = 1
        monkeypatch.setattr(app.schedule, "_rows", read_before)
        await look(app)
        assert await started(app) == []


async def test_a_poll_that_comes_late_moves_no_cursor_back(
    project: Project, home: Path, clock: Clock
) -> None:
    """*Its process was frozen and found gone; another has polled since.*"""
    poll(project, orders_after)
    shop.extend([order(1), order(2)])
    async with executing(project, home, clock) as app:

        async def be_overtaken() -> None:
            await sql(app, "update triggers set cursor = '7'")

        gates.append(be_overtaken)
        shop.append(order(3))
        clock.hours = 1
        await look(app)
        gates.clear()
        clock.hours = 2
        await look(app)
        assert cursors == [None, 2, 7]
        assert await started(app) == ["1", "2", "3"], "what it has found is started all the same"


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        (lambda: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda: exit(3), "raised SystemExit: 3"),
        (lambda: next(iter([])), "raised RuntimeError: the function raised StopIteration"),
        (lambda: shop.__setitem__(slice(None), "x" * 10_001), "more than 10,000 items"),
    ],
)
async def test_a_poll_that_fails_is_on_record_until_one_succeeds(
    project: Project, home: Path, clock: Clock, gate: Callable[[], Any], why: str
) -> None:
    poll(project)
    gates.append(gate)
    async with executing(project, home, clock) as app:
        assert why in (await the_error(app) or "")
        gates.clear()
        shop[:] = [order(1)]
        await look(app)
        assert await started(app) == [], "it is tried again at its next time"
        gates.append(gate)
        with pytest.raises(PollFailed):
            await app.fire("ship")
        gates.clear()
        shop[:] = [order(1)]
        clock.hours = 1
        await look(app)
        assert (await started(app), await the_error(app)) == (["1"], None)


@pytest.mark.parametrize(
    "returned", [None, "text", {"id": 1}, Polled(3, None), Polled([], object())]
)
async def test_what_is_no_list_of_items_is_an_error(
    project: Project, home: Path, clock: Clock, returned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "answer", lambda: returned)
    poll(project, whatever)
    async with executing(project, home, clock) as app:
        error = await the_error(app)
        assert error is not None
        assert error.startswith(f"{__name__}:whatever raised ")


def whatever() -> Any:
    return globals()["answer"]()


async def test_a_plain_function_that_hangs_holds_nothing_up_and_is_not_called_beside_itself(
    project: Project, home: Path, clock: Clock
) -> None:
    released, called = threading.Event(), list[int]()
    gates.extend([lambda: called.append(1), lambda: released.wait(60) and None])
    poll(project, timeout=0.05)
    cron(project)
    async with executing(project, home, clock) as app:
        assert "took longer than 0.05 s" in (await the_error(app) or "")
        await eventually(lambda: called)
        clock.hours = 1
        await look(app)
        assert await fired(app) == [1]
        assert "has not ended yet" in (await the_error(app) or "")
        assert called == [1]
        released.set()
        shop.append(order(1))
        await eventually(lambda: succeeds(app, clock))


async def succeeds(app: App, clock: Clock) -> bool:
    """Whether the next poll does: on a busy machine it may not within its time."""
    clock.hours += 1
    await look(app)
    return await the_error(app) is None


async def test_an_async_function_that_hangs_is_cancelled(
    project: Project, home: Path, clock: Clock
) -> None:
    never = asyncio.Event
    gates.append(lambda: never().wait())
    poll(project, orders_after, timeout=0.05)
    async with executing(project, home, clock) as app:
        assert "took longer than 0.05 s" in (await the_error(app) or "")
        gates.clear()
        shop.append(order(1))
        await eventually(lambda: succeeds(app, clock))
        assert await started(app) == ["1"]


async def test_one_poll_at_a_time_and_the_next_is_asked_with_its_cursor(
    project: Project, home: Path, clock: Clock
) -> None:
    poll(project, orders_after)
    async with executing(project, home, clock) as app:
        held: list[asyncio.Event] = []

        async def hold() -> None:
            held.append(asyncio.Event())
            await held[-1].wait()

        gates.append(hold)
        shop.append(order(1))
        clock.hours = 1
        await inside(app, app.schedule.look())
        await eventually(lambda: held)
        firing = asyncio.create_task(app.fire("ship"))
        await inside(app, app.schedule.look())
        assert len(cursors) == 2
        gates.clear()
        shop.append(order(2))
        app._loop.call_soon(held[0].set)
        assert len(await asyncio.wait_for(firing, 60)) == 0
        assert cursors == [None, 0, 2]
        assert await started(app) == ["1", "2"]


async def test_a_poll_is_fired_by_hand_and_says_what_it_found(
    project: Project, home: Path, clock: Clock
) -> None:
    poll(project)
    async with executing(project, home, clock) as app:
        await app.pause_trigger("ship", by="ann")
        shop.extend([order(1), order(2)])
        clock.hours = 1
        await look(app)
        assert await started(app) == []
        first, second = await app.fire(project.recipes["ship"], by="ben")
        assert first.job_id < second.job_id
        assert await app.fire("ship") == []
        row = await status(app, first, "succeeded")
        assert (row.trigger["key"], row.trigger["by"]) == ("1", "ben")


async def test_what_another_process_asks_for_is_done_at_once(
    project: Project, home: Path, clock: Clock
) -> None:
    poll(project)
    cron(project)
    async with executing(project, home, clock, hears=True) as app:
        shop.append(order(1))
        store = await asyncio.to_thread(Store, place_at(home))
        try:
            door = Door(project, store)
            for recipe in project.recipes:
                await door.ask_to_fire(recipe, by="ben")

            async def done() -> bool:
                return bool(await started(app) and await fired(app))

            await eventually(lambda: done())
            await eventually(lambda: asked_for_nothing(app))
        finally:
            await asyncio.to_thread(store.close)
        [job] = await rows(app, "select 1 from jobs where callable = 'nightly'")
        assert job == (1,)


async def asked_for_nothing(app: App) -> bool:
    return await rows(app, "select asked from triggers where asked is not null") == []


async def test_a_clock_that_is_set_back_does_not_stop_a_poll(
    project: Project, home: Path, clock: Clock
) -> None:
    poll(project)
    async with executing(project, home, clock) as app:
        shop.append(order(1))
        clock.hours = -9
        await look(app)
        assert await started(app) == ["1"]


async def test_a_poll_goes_on_under_its_name_when_its_function_is_renamed(
    project: Project, home: Path, clock: Clock
) -> None:
    renamed = Project("test")
    poll(project, name="orders")
    poll(renamed, orders_after, name="orders")
    shop.append(order(1))
    async with executing(project, home, clock):
        pass
    clock.hours = 1
    async with executing(renamed, home, clock) as app:
        assert cursors == [None]
        assert await started(app) == ["1"]


async def test_without_the_setting_nothing_fires(
    project: Project, home: Path, clock: Clock
) -> None:
    poll(project)
    shop.append(order(1))
    async with opened(project, home) as app:
        await look(app)
        assert (await started(app), await rows(app, "select * from triggers")) == ([], [])
        assert len(await app.fire("ship")) == 1
