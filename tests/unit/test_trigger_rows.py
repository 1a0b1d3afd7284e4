"""The rows of triggers: whatever else happens meanwhile, nothing is started twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lampwork.place import Folder
from lampwork.store import schema
from lampwork.store.jobs.new_jobs import NewJob
from lampwork.store.store import Store
from lampwork.store.triggers import triggers
from lampwork.store.triggers.triggers import Defined, Found, Order, Rejected

CRON = Defined("nightly", "cron @hourly UTC", "cron", {"catch_up": "all"})
POLL = Defined("ship", "poll shop:orders", "poll", {"every": 1})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(Folder(tmp_path))
    yield store
    store.close()


def job(job_id: str) -> NewJob:
    return NewJob(job_id, "shop", "ship", "v1", {}, {"kind": "poll"}, job_id)


def jobs_started(connection: sa.Connection) -> list[str]:
    return list(connection.execute(sa.select(schema.jobs.c.id).order_by("id")).scalars())


async def test_times_that_are_settled_start_nothing_again(store: Store) -> None:
    cron = await store.write(triggers.ensure, "shop", CRON, 10.0)
    assert await store.write(triggers.ensure, "shop", CRON, 99.0) == cron

    async def fire(job_id: str, settled: float, until: float) -> bool:
        how: dict[str, Any] = {"settled": settled, "until": until, "new": [job(job_id)]}
        return await store.write(triggers.fire, cron, **how, now=21.0)

    assert await fire("j1", 10.0, 20.0)
    assert not await fire("j2", 10.0, 20.0)
    assert await store.read(jobs_started) == ["j1"]
    await store.write(triggers.pause, "shop", CRON, Order("ann", 21.0))
    assert not await fire("j3", 20.0, 30.0), "it was paused between the look and the commit"
    assert await store.read(jobs_started) == ["j1"]


async def test_keys_that_have_started_a_job_start_none_again(store: Store) -> None:
    poll = await store.write(triggers.ensure, "shop", POLL, 10.0)
    other = Defined("pack", POLL.identity, "poll", POLL.definition)

    async def take(trigger: int, *found: tuple[str, NewJob]) -> list[str]:
        taken, _ = await store.write(
            triggers.take, trigger, Found(11.0, None, None, found, []), asked=None
        )
        return taken

    assert await take(poll, ("a", job("j1")), ("b", job("j2")), ("a", job("j3"))) == ["j1", "j2"]
    assert await take(poll, ("c", job("j4")), ("b", job("j5"))) == ["j4"]
    assert await take(await store.write(triggers.ensure, "shop", other, 10.0), ("a", job("j6")))
    assert await store.read(jobs_started) == ["j1", "j2", "j4", "j6"]


async def test_more_keys_than_one_query_takes(store: Store) -> None:
    poll = await store.write(triggers.ensure, "shop", POLL, 10.0)
    found = [(str(number), job(f"j{number:05}")) for number in range(1201)]
    again = [(str(number), job(f"k{number:05}")) for number in range(1202)]

    await store.write(triggers.take, poll, Found(11.0, None, None, found, []), asked=None)
    started, _ = await store.write(
        triggers.take, poll, Found(12.0, None, None, again, []), asked=None
    )

    assert started == ["k01201"]


async def test_a_wish_to_fire_that_came_during_a_poll_is_kept(store: Store) -> None:
    poll = await store.write(triggers.ensure, "shop", POLL, 10.0)
    await store.write(triggers.ask, "shop", POLL, Order("ann", 11.0))
    first = (await store.read(triggers.get, poll)).asked
    await store.write(triggers.ask, "shop", POLL, Order("ben", 12.0))

    found = Found(13.0, None, None, [], [Rejected("a", "too late")])
    assert await store.write(triggers.take, poll, found, asked=first) == ([], [found.rejected[0]])
    assert (await store.read(triggers.get, poll)).asked["by"] == "ben"
    assert not await store.write(triggers.fire_now, poll, job("j1"), asked=first, now=13.0)
    assert await store.read(jobs_started) == []
