"""The loop that jobs run on, when it is closed."""

from __future__ import annotations

import asyncio

from lampwork.engine.loop import LoopThread


async def test_what_is_set_off_by_what_is_cancelled_is_cancelled_as_well() -> None:
    """*It was begun by nobody and ended by nobody: a warning, in whatever came next.*"""
    loop, happened = LoopThread(), list[str]()
    kept: list[asyncio.Task[None]] = []

    async def waits(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            happened.append(name)
            if name == "first":
                kept.append(asyncio.create_task(waits("second")))
                await asyncio.sleep(0)  # which begins it

    async def begin() -> None:
        kept.append(asyncio.create_task(waits("first")))

    await loop.call(begin())
    await asyncio.to_thread(loop.close)
    assert happened == ["first", "second"]


async def test_after_its_end_nothing_is_called_there() -> None:
    loop, called = LoopThread(), list[str]()
    await asyncio.to_thread(loop.close)
    loop.call_soon(called.append, "late")
    assert called == []
