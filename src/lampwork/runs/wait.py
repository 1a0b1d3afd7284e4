"""Waits of the jobs in this process: answers from the inbox find those who wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from lampwork.store.jobs.inbox import Answer, Delivery, Wait

__all__ = ["Answer", "Delivery", "Wait", "Waits"]


class Waits:
    """Who waits in memory, by wait id. Used on the jobs' event loop only.

    Two runs of one job can stand side by side for a moment, a dying one and its successor; each
    has its own future, so the dying one never takes its successor's answer away.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[Answer]]] = {}

    @contextmanager
    def expecting(self, wait_id: str) -> Generator[asyncio.Future[Answer]]:
        """A future that the wait's answer resolves."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        futures = self._waiting.setdefault(wait_id, [])
        futures.append(future)
        try:
            yield future
        finally:
            futures.remove(future)
            if not futures and self._waiting.get(wait_id) is futures:
                del self._waiting[wait_id]

    def deliver(self, delivery: Delivery) -> bool:
        """Hand an answer to those who wait for it here; whether there was anyone."""
        waiting = [f for f in self._waiting.get(delivery.wait_id, ()) if not f.done()]
        for future in waiting:
            future.set_result(delivery.answer)
        return bool(waiting)
