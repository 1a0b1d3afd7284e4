"""What live hints look for, and when: nothing that changes is missed, whoever reads meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support import DEADLINE, eventually

from lampwork import clock
from lampwork.server.live import EVERYTHING, Hints
from lampwork.testing import FakeClock


class Changing:
    """What a read model says has changed: as many jobs as a test wants, at once."""

    def __init__(self) -> None:
        self.jobs: dict[str, float] = {}
        self.hear: Any = None

    def on_change(self, hear: Any) -> Any:
        self.hear = hear
        return lambda: None

    async def jobs_since(self, moment: float, project: str) -> dict[str, float]:
        return dict(self.jobs)


async def test_a_reader_that_falls_behind_is_told_to_fetch_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lampwork.server.live._APART", 0.0)
    changing: Any = Changing()
    hints = Hints(changing, "shop")
    async with (
        hints.reading(None, frozenset()) as fast,
        hints.reading(None, frozenset()) as slow,
    ):
        for reader in (fast, slow):
            assert await reader.next(DEADLINE) == EVERYTHING
        await eventually(lambda: changing.hear)
        for number in range(100):
            changing.jobs[f"j{number}"] = float(number)
            changing.hear()
            assert f'"j{number}"'.encode() in (await fast.next(DEADLINE) or b"")

        assert await slow.next(DEADLINE) == EVERYTHING
        changing.jobs["j100"] = 100.0
        changing.hear()
        assert b'"j100"' in (await slow.next(DEADLINE) or b"")


class Recording(Changing):
    """A read model whose jobs were changed at some time; the test lets it be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.waits = dict[int, asyncio.Event]()
        """By look, what it waits for."""
        self.heard = False

    def on_change(self, hear: Any) -> Any:
        self.hear, self.heard = hear, True
        return lambda: setattr(self, "heard", False)

    async def jobs_since(self, moment: float, project: str) -> dict[str, float]:
        self.looks += 1
        if (let := self.waits.get(self.looks)) is not None:
            await let.wait()
        return {each: at for each, at in self.jobs.items() if at > moment}


async def test_of_two_readers_that_come_at_once_neither_misses_what_changes_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lampwork.server.live._APART", 0.0)
    changing: Any = Recording()
    changing.waits = {1: asyncio.Event(), 2: asyncio.Event()}
    hints, told = Hints(changing, "shop"), list[bytes]()

    async def read() -> None:
        async with hints.reading(None, frozenset()) as reader:
            while not any(b'"j1"' in each for each in told):
                told.append(await reader.next(DEADLINE) or b"")

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await eventually(lambda: changing.looks == 2)
    changing.waits[1].set()
    await eventually(lambda: told)
    changing.jobs["j1"] = clock.now()
    changing.waits[2].set()
    await asyncio.wait_for(asyncio.gather(*readers), DEADLINE)


async def test_a_reader_that_goes_before_it_has_begun_leaves_nothing_behind() -> None:
    changing: Any = Recording()
    changing.waits = {1: asyncio.Event()}
    hints = Hints(changing, "shop")

    async def read() -> None:
        async with hints.reading(None, frozenset()):
            raise AssertionError("it was let in")

    going = asyncio.create_task(read())
    await eventually(lambda: changing.looks == 1)
    going.cancel()
    await asyncio.wait({going}, timeout=DEADLINE)
    async with hints.reading(None, frozenset()):
        await eventually(lambda: changing.heard)
    await eventually(lambda: not changing.heard, "it is looked for what nobody reads")

    assert going.cancelled()


async def test_what_was_changed_before_the_machine_stood_still_is_told_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lampwork.server.live._APART", 0.0)
    changing: Any = Recording()
    stopped = FakeClock()
    stopped.bind(lambda moving: moving, lambda: asyncio.sleep(0))
    with clock.using(stopped):
        async with Hints(changing, "shop").reading(None, frozenset()) as reader:
            assert await reader.next(DEADLINE) == EVERYTHING
            await eventually(lambda: changing.hear)
            changing.hear()
            await eventually(lambda: changing.looks > 1)
            changing.jobs["j1"] = clock.now()
            await stopped.advance(seconds=60)
            changing.hear()
            assert b'"j1"' in (await reader.next(DEADLINE) or b"")
