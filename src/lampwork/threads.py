"""Threads for plain functions, which hold nobody up, and what threads tell event loops."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: Any) -> None:
    """Run a callback on an event loop, from any thread; after the loop's close, never."""
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:  # asked for first, it could be closed between the two
        if not loop.is_closed():
            raise


class Threads(Executor):
    """At most so many threads, started as they are needed.

    They end with their process at the latest: those of a `ThreadPoolExecutor` keep the interpreter
    from ending until their functions have, however long that takes.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._count = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a thread call the function."""
        future: Future[T] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                _call(future, fn, args, kwargs)

        self._work.put(work)
        if not self._idle.acquire(blocking=False):
            self._start_one()
        return future

    def _start_one(self) -> None:
        with self._lock:
            if self._count == self._most:
                return
            self._count += 1
            name = f"{self._name}_{self._count}"
        threading.Thread(target=self._live, name=name, daemon=True).start()

    def _live(self) -> None:
        while (work := self._next()) is not None:
            work()
            del work  # what it was called with is not held while there is nothing to do

    def _next(self) -> Callable[[], None] | None:
        try:
            return self._work.get_nowait()
        except queue.Empty:
            self._idle.release()
            return self._work.get()

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """End the threads that have nothing to do, and the others when they are done."""
        with self._lock:
            for _ in range(self._count):
                self._work.put(None)


def _call(future: Future[Any], fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
