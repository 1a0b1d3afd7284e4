"""Who is gone: by how long its number has not moved, in its own intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from lampwork.place import Folder
from lampwork.store.processes import executors
from lampwork.store.store import Store
from lampwork.worker.presence import Presence


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(Folder(tmp_path))
    yield store
    store.close()


async def looks_until_gone(store: Store, *, theirs: float, ours: float) -> int:
    """How many looks it takes us to find somebody gone."""
    other = Presence(store, "shop", "1", limited=False, interval=theirs)
    us = Presence(store, "shop", "1", limited=False, interval=ours)
    await other.begin()
    await us.begin()
    looks = 1
    while not (gone := await us._find_gone()):
        looks += 1
    assert gone == [other.id]
    return looks


async def test_one_is_gone_after_five_looks_of_half_an_interval(store: Store) -> None:
    assert await looks_until_gone(store, theirs=3, ours=3) == 6


async def test_one_that_beats_less_often_is_given_its_own_time(store: Store) -> None:
    assert await looks_until_gone(store, theirs=30, ours=3) == 51


async def test_one_that_beats_more_often_is_looked_at_as_often_as_any(store: Store) -> None:
    assert await looks_until_gone(store, theirs=0.3, ours=3) == 6


async def test_one_that_beats_again_is_there(store: Store) -> None:
    other = Presence(store, "shop", "1", limited=False, interval=3)
    us = Presence(store, "shop", "1", limited=False, interval=3)
    await other.begin()
    await us.begin()
    for _ in range(3):
        for _ in range(5):
            assert await us._find_gone() == []
        await store.write(executors.beat, other.id)


async def test_one_that_was_too_slow_to_act_is_told_when_it_is_heard_again(store: Store) -> None:
    us = Presence(store, "shop", "1", limited=False, interval=0.02)
    heard = asyncio.Event()

    async def never(*_: object) -> None:
        raise AssertionError

    async def on_heard() -> None:
        heard.set()

    await us.begin()
    us._holds_until = 0
    beating = asyncio.create_task(us.keep_beating(never, never, on_heard))
    await asyncio.wait_for(heard.wait(), 30)
    beating.cancel()


async def test_it_looks_every_half_interval_and_beats_every_whole_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    us = Presence(store, "shop", "1", limited=False, interval=0.02)
    beat, find_gone, did = us._beat, us._find_gone, list[str]()
    enough = asyncio.Event()

    async def beats() -> bool:
        did.append("beat")
        return await beat()

    async def looks() -> list[str]:
        did.append("look")
        if did.count("look") == 4:
            enough.set()
        return await find_gone()

    async def never(*_: object) -> None:
        raise AssertionError

    async def at_times() -> None:
        """On a machine that is busy."""

    monkeypatch.setattr(us, "_beat", beats)
    monkeypatch.setattr(us, "_find_gone", looks)
    await us.begin()
    beating = asyncio.create_task(us.keep_beating(never, never, at_times))
    await asyncio.wait_for(enough.wait(), 30)
    beating.cancel()
    # It may have gone on before it was stopped.
    assert did[:6] == ["look", "beat", "look", "look", "beat", "look"]
