"""A task's place among those that its genie works on at a time: taken to go on, left to wait."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lampwork import failpoint
from lampwork.runs.deadline import Deadline, OutOfTime
from lampwork.runs.wait import Answer, Wait
from lampwork.store.tasks import places

if TYPE_CHECKING:
    from lampwork.tasks.conversation import Hold

__all__ = ["Place"]


class Place:
    """The place of one task whose genie has `max_concurrent_tasks`."""

    def __init__(self, hold: Hold, genie: str, call: int, deadline: Deadline) -> None:
        self.hold = hold
        self.held = hold.claim.has_place
        run = hold.run
        self._wanted = places.Wanted(run.project.name, genie, run.job_id, call, deadline.at)
        self._acting = self._waiting = 0

    async def take(self) -> None:
        """Return when the task holds its place: it asks its model only then. Raises OutOfTime."""
        while not self.held:
            wait = await self.hold.write(places.take, self._wanted)
            if wait is None:
                self.held = True
            elif (await self.hold.run.until(wait)).kind == "expired":
                raise OutOfTime
        failpoint.hit("place.taken")

    @contextmanager
    def acting(self) -> Generator[None]:
        """One more of the task's skill calls is under way."""
        self._acting += 1
        try:
            yield
        finally:
            self._acting -= 1

    @contextmanager
    def waiting(self) -> Generator[bool]:
        """A skill call only waits; whether the place is left, because they all do."""
        self._acting -= 1
        self._waiting += 1
        try:
            yield self.held and self._acting <= 0
        finally:
            self._acting += 1
            self._waiting -= 1

    async def leave_for(self, wait: Wait) -> tuple[Answer | None, float | None]:
        """Open a wait, and leave the place with it unless its answer is here already.

        As `inbox.open_wait`. Raises StaleEpoch.
        """
        self.held = False
        answer, due_at, told = await self.hold.write(places.open_wait, wait)
        self.held = told is None
        failpoint.hit("place.left")
        self.hold.run.worker.deliver(told or ())
        return answer, due_at

    async def leave_to_wait(self) -> None:
        """A skill call has ended: leave the place if those beside it only wait, and did before.

        Raises StaleEpoch.
        """
        if self.held and self._waiting and self._acting <= 0:
            self.held = False
            told = await self.hold.write(places.free_waiting)
            failpoint.hit("place.left")
            self.hold.run.worker.deliver(told)
