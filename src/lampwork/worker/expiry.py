"""The clock of the waits: one timer, for the wait that is due first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lampwork import clock
from lampwork.store.jobs import inbox

if TYPE_CHECKING:
    from lampwork.worker.worker import Worker


class Expiry:
    """Tells waits that their time is up."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._timer: clock.Timer | None = None
        self._at: float | None = None

    def look_at(self, due_at: float) -> None:
        """Look at the clock again when a wait is due, in epoch seconds."""
        if self._at is not None and self._at <= due_at:
            return
        self.stop()
        self._at = due_at
        self._timer = clock.call_at(due_at, lambda: self._worker.background(self.look()))

    async def look(self) -> None:
        """Tell the waits that are due that their time is up, and look again at the next one."""
        self._at = None
        worker = self._worker
        if worker.closing:
            return
        due_at = await worker.store.read(inbox.next_due)
        if due_at is not None and due_at <= clock.now():
            worker.deliver(await worker.store.write(inbox.expire, clock.now()))
            due_at = await worker.store.read(inbox.next_due)
        if due_at is not None:
            self.look_at(due_at)

    def stop(self) -> None:
        """Look no more by itself."""
        if self._timer is not None:
            self._timer.cancel()
