"""Leases of a name: one holder at a time, until it gives the lease back or is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from lampwork import clock
from lampwork.place import Folder
from lampwork.store.processes import leases
from lampwork.store.schema import executors
from lampwork.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(Folder(tmp_path))
    yield store
    store.close()


class Still(clock.Clock):
    """Stands until it is moved."""

    moment = 1_000_000.0

    def now(self) -> float:
        return self.moment


@pytest.fixture
def still() -> Iterator[Still]:
    one = Still()
    with clock.using(one):
        yield one


async def acquire(store: Store, by: str, *alive: str, rested: float = 0.0) -> bool:
    """Ask for the lease while these executors execute."""
    await store.write(execute, alive)
    return await store.write(leases.acquire, "prune shop", by, rested=rested)


def execute(connection: sa.Connection, alive: Sequence[str]) -> None:
    connection.execute(sa.delete(executors))
    for name in (*alive, "gone"):
        closed_at = 1.0 if name == "gone" else None
        connection.execute(
            sa.insert(executors).values(
                id=name, pid=1, project="shop", started_at=0.0, closed_at=closed_at
            )
        )


async def test_one_holds_it_until_it_is_given_back(store: Store) -> None:
    assert await acquire(store, "a", "a", "b")
    assert not await acquire(store, "b", "a", "b")
    assert await acquire(store, "a", "a", "b")
    assert not await store.write(leases.release, "prune shop", "b")

    assert await store.write(leases.release, "prune shop", "a")

    assert await acquire(store, "b", "a", "b")
    assert not await acquire(store, "a", "a", "b")


async def test_who_is_gone_loses_it_and_finds_that_out(store: Store) -> None:
    assert await acquire(store, "a", "a", "b")

    assert await acquire(store, "b", "b")

    assert not await store.write(leases.renew, "prune shop", "a")
    assert not await store.write(leases.release, "prune shop", "a")
    assert await store.write(leases.renew, "prune shop", "b")


async def test_another_name_is_another_lease(store: Store) -> None:
    assert await acquire(store, "a", "a", "b")
    assert await store.write(leases.acquire, "prune zoo", "b")


async def test_it_rests_between_two_holders_but_not_when_one_has_died(
    store: Store, still: Still
) -> None:
    assert await acquire(store, "gone", rested=60)
    assert await acquire(store, "b", rested=60)
    still.moment += 10
    await store.write(leases.release, "prune shop", "b")
    still.moment += 59
    assert not await acquire(store, "c", rested=60)
    still.moment += 1
    assert await acquire(store, "c", rested=60)


async def test_a_clock_that_was_set_back_does_not_let_it_rest_for_ever(
    store: Store, still: Still
) -> None:
    assert await acquire(store, "a", rested=60)
    await store.write(leases.release, "prune shop", "a")
    still.moment -= 1_000
    assert await acquire(store, "b", rested=60)


async def test_of_many_that_ask_at_once_one_gets_it(store: Store) -> None:
    got = await asyncio.gather(*(acquire(store, str(n), *map(str, range(9))) for n in range(9)))
    assert sum(got) == 1
