"""The event loop that all jobs of the process run on, in a thread of its own.

The user's own loop (pytest's, a notebook's, a server's) stays free of jobs, and a job outlives
the call that started it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from typing import Any, TypeVar

from lampwork.threads import Threads, call_soon

T = TypeVar("T")

_log = logging.getLogger("lampwork.engine")

_PATIENCE = 5.0
"""Seconds that coroutines get to leave after they have been cancelled."""


class _JobsLoop(asyncio.SelectorEventLoop):
    """Keeps DBOS's few threads for DBOS.

    DBOS makes its pool the loop's default one; `asyncio.to_thread` of a user's code, or a look-up
    of a host's name, would hold it up there, and with it every job.
    """

    def __init__(self) -> None:
        super().__init__()
        self._others = Threads(64, "lampwork-thread")

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is None and not _is_of_dbos(func):
            executor = self._others
        return super().run_in_executor(executor, func, *args)

    def close(self) -> None:
        self._others.shutdown()
        super().close()


def _is_of_dbos(func: Any) -> bool:
    while isinstance(func, functools.partial):
        call: Any = func.func  # type: ignore[reportUnknownMemberType]
        in_context = isinstance(getattr(call, "__self__", None), Context)  # asyncio.to_thread
        func = func.args[0] if in_context else call
    return str(getattr(func, "__module__", "")).startswith("dbos")


class LoopThread:
    """An event loop, running until it is closed."""

    def __init__(self) -> None:
        self.loop = _JobsLoop()
        self._thread = threading.Thread(
            target=self.loop.run_forever, name="lampwork-jobs", daemon=True
        )
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine there, from any thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    async def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and await it here."""
        return await asyncio.wrap_future(self.submit(coroutine))

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Run a callback there, from any thread; after the close, never."""
        call_soon(self.loop, callback, *args)

    def close(self) -> None:
        """Stop the loop, after its remaining tasks have been cancelled."""
        self.submit(_cancel_all()).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel_all() -> None:
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    until = loop.time() + _PATIENCE
    while others := asyncio.all_tasks() - {this}:  # what ends may set off more
        if (left := until - loop.time()) <= 0:
            facts = {"event": "engine.coroutines_dropped", "count": len(others)}
            said = "%s coroutines ignore their cancellation and are dropped"
            _log.warning(said, len(others), extra=facts)
            return
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=left)
