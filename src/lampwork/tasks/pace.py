"""The pace at which a task may ask its model, shared with all others: its turn, what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lampwork import clock, failpoint
from lampwork.runs.deadline import Deadline
from lampwork.runs.wait import Wait
from lampwork.store.spending import rates

if TYPE_CHECKING:
    from lampwork.tasks.conversation import Hold

__all__ = ["Pace"]


class Pace:
    """Of one model call, whose models may be asked so often: under which `names`, says each."""

    def __init__(self, hold: Hold, call: int, deadline: Deadline, number: int, tokens: int) -> None:
        self.hold = hold
        self._deadline = deadline
        self._tokens = tokens
        self._taken: rates.Taken | None = None
        project, job_id = hold.run.project.name, hold.run.job_id
        self._asking = rates.Asking(project, job_id, call, number, deadline.at)

    async def first(self, names: tuple[str, ...]) -> None:
        """Return when the model may be asked; until then the task waits, and may be parked.

        Raises OutOfTime.
        """
        if (taken := self._of(names)) is None:
            return
        while True:
            found = await self.hold.write(rates.take, self._asking, taken)
            if not isinstance(found, Wait):
                break
            await self.hold.run.until(found)
            self._deadline.check()
        await self._until(found)
        self._taken = taken
        failpoint.hit("rate.taken")

    async def again(self, names: tuple[str, ...]) -> None:
        """Return when a model may be asked for another try. Raises OutOfTime, RunEnded."""
        if (taken := self._of(names)) is None:
            return
        at, _ = await self.hold.run.store.write(rates.draw, taken)
        await self._until(at)
        self._taken = taken

    def came_to(self, usage: dict[str, int]) -> tuple[rates.Taken, int] | None:
        """What the call has taken, and the tokens that it came to; None if nobody counts them."""
        if self._taken is None or all(each.tokens_per_minute is None for each in self._taken.rates):
            return None
        return self._taken, usage.get("input_tokens", 0) + usage.get("output_tokens", 0)

    async def slow_down(self, names: tuple[str, ...], seconds: float) -> None:
        """The provider has said that it is asked too often: nobody asks it for so long."""
        if (taken := self._of(names)) is not None:
            await self.hold.run.store.write(rates.close, taken, seconds)

    async def _until(self, at: float) -> None:
        if (left := at - clock.now()) > 0:
            async with self._deadline.bounding():
                await clock.sleep(left)
            self.hold.run.check()

    def _of(self, names: tuple[str, ...]) -> rates.Taken | None:
        project = self.hold.run.project
        found = [
            rates.Rate(name, each.requests_per_minute, each.tokens_per_minute)
            for name in names
            if (each := project.rate_limits.get(name)) is not None
        ]
        if not found:
            return None
        return rates.Taken(project.name, found, self._tokens)
