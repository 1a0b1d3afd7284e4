"""When triggers fire: the clock of crons and polls, in the process that executes a project."""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lampwork import clock, failpoint
from lampwork.errors import PollFailed
from lampwork.recipe import Recipe
from lampwork.store.processes import leases
from lampwork.store.triggers import triggers
from lampwork.store.triggers.triggers import Row
from lampwork.triggers.poll import Polling
from lampwork.triggers.trigger import Cron, Poll, Timed, as_kept, find_timed, new_jobs
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.worker import Worker

_log = logging.getLogger("lampwork.triggers.trigger")

_LONGEST_SLEEP = 60.0
"""Seconds of one sleep: a clock that was set, or a machine that slept, is noticed after it."""

_AGAIN = 5.0
"""Seconds until a trigger is looked at again that the database, or its definition, let down."""

_AT_MOST = 1000
"""Jobs that one look starts for the times that a cron has missed."""


_Given = tuple[dict[str, Json], dict[str, Json]]


class Schedule:
    """The triggers of a project. Lives on the jobs' event loop.

    A look fires what is due and sleeps until something is, or until somebody has paused, started
    or fired a trigger.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._store = worker.store
        self._defined: dict[tuple[str, str], tuple[Recipe[..., Any], Timed]] = {
            (recipe.name, trigger.identity): (recipe, trigger)
            for recipe in worker.project.recipes.values()
            for trigger in recipe.triggers
            if isinstance(trigger, Timed)
        }
        self._begun = False
        self._led_as: str | None = None
        """The executor that has the lease, while it is this one."""
        self._registered = False
        self._looking = asyncio.Lock()
        self._timer: clock.Timer | None = None
        self._pollings: dict[int, Polling] = {}
        self._polls: dict[int, asyncio.Task[list[str]]] = {}
        self._polled: set[int] = set()
        """The triggers with a poll since their rows were read: these may be of before it."""
        self._not_before: dict[int, float] = {}

    @property
    def polling(self) -> bool:
        """Whether a poll is under way."""
        return bool(self._polls)

    async def begin(self) -> None:
        """Fire from now on."""
        self._begun = True
        await self.look()

    async def close(self) -> None:
        """Fire no more; a poll that is under way is done again by the next process."""
        self._begun = False
        if self._timer is not None:
            self._timer.cancel()
        for task in (polls := list(self._polls.values())):
            task.cancel()
        await asyncio.gather(*polls, return_exceptions=True)

    async def look(self) -> None:
        """Fire what is due or asked for, then sleep until something is."""
        if not self._begun or (self._registered and not self._defined):
            return
        async with self._looking:
            try:
                if not self._worker.presence.holds:
                    at = [clock.now() + _AGAIN]  # by now it may be another one that fires them
                elif await self._leads():
                    at = [await self._attend(row) for row in await self._rows()]
                else:
                    return
            except Exception as error:
                facts = {"event": "trigger.failed"}
                _log.error("triggers can't be looked at: %s", error, exc_info=error, extra=facts)
                at = [clock.now() + _AGAIN]
            if self._begun:
                self._sleep_until(min(at, default=math.inf))

    async def _leads(self) -> bool:
        """Whether it is this process that fires the project's triggers: one of them does."""
        executor = self._worker.presence.id
        if self._led_as != executor:
            name = f"schedule {self._worker.project.name}"
            leads = await self._store.write(leases.acquire, name, executor)
            self._led_as = executor if leads else None
        return self._led_as is not None

    def _sleep_until(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if at == math.inf:
            return
        if clock.may_jump():
            at = min(at, clock.now() + _LONGEST_SLEEP)
        self._timer = clock.call_at(at, self._wake)

    def _wake(self) -> None:
        if self._begun:
            self._worker.background(self.look())

    async def _rows(self) -> list[Row]:
        """The triggers as they stand, those of the code alone."""
        project = self._worker.project.name
        if not self._registered:
            defined = [as_kept(*each) for each in self._defined.values()]
            await self._store.write(triggers.register, project, defined, clock.now())
            self._registered = True
        self._polled = set(self._polls)
        rows = await self._store.read(triggers.of_project, project)
        return [row for row in rows if (row.recipe, row.identity) in self._defined]

    # --- one trigger ---

    async def _attend(self, row: Row) -> float:
        """Fire a trigger if it is due or asked for; when to look at it again."""
        now = clock.now()
        if (not_before := self._not_before.get(row.id, now)) > now:
            return not_before
        recipe, trigger = self._defined[row.recipe, row.identity]
        try:
            if isinstance(trigger, Poll):
                return self._attend_poll(row, recipe, trigger, now)
            return await self._attend_cron(row, recipe, trigger, now)
        except Exception as error:
            _say_failed(row, error)
            self._not_before[row.id] = now + _AGAIN
            return now + _AGAIN

    async def _attend_cron(
        self, row: Row, recipe: Recipe[..., Any], cron: Cron, now: float
    ) -> float:
        if row.asked is not None:
            await self._fire_now(row, recipe, cron, asked=row.asked, by=row.asked["by"])
        if row.paused is not None:
            return math.inf
        next_at = cron.after(row.cursor)
        if next_at > now:
            return next_at
        # In a thread: a thousand times take 40 ms to find.
        times, until = await asyncio.to_thread(cron.due, row.cursor, now, at_most=_AT_MOST)
        given: list[_Given] = [({}, {"scheduled_at": _iso(at)}) for at in times]
        new = new_jobs(self._worker.project, recipe, cron, given, executor=self._worker.presence.id)
        failpoint.hit("trigger.due")
        if await self._store.write(
            triggers.fire, row.id, settled=row.cursor, until=until, new=new, now=now
        ):
            failpoint.hit("trigger.fired")
            _say_fired(row, times, next_at)
            for job in new:
                self._worker.admission.start_soon(job.id)
        return cron.after(until)

    async def _fire_now(
        self, row: Row, recipe: Recipe[..., Any], cron: Cron, *, asked: Any, by: str
    ) -> list[str]:
        now = clock.now()
        given: _Given = ({}, {"scheduled_at": _iso(now)})
        [job] = new_jobs(
            self._worker.project, recipe, cron, [given], executor=self._worker.presence.id, by=by
        )
        if not await self._store.write(triggers.fire_now, row.id, job, asked=asked, now=now):
            return []
        facts = {"event": "trigger.fired", "recipe": row.recipe, "trigger": row.identity}
        _log.info("%s of %s starts a job: fired by %s", row.identity, row.recipe, by, extra=facts)
        self._worker.admission.start_soon(job.id)
        return [job.id]

    def _attend_poll(self, row: Row, recipe: Recipe[..., Any], poll: Poll, now: float) -> float:
        if row.id in self._polled:
            return math.inf  # its end looks again
        if row.paused is not None and row.asked is None:
            return math.inf
        # A last poll that is yet to come: the clock has been set back.
        if row.asked is None and row.polled_at is not None and row.polled_at <= now:
            next_at = row.polled_at + poll.interval
            if next_at > now:
                return next_at
        by = None if row.asked is None else row.asked["by"]
        self._begin_poll(row, recipe, poll, asked=row.asked, by=by)
        return math.inf

    def _begin_poll(
        self, row: Row, recipe: Recipe[..., Any], poll: Poll, *, asked: Any, by: str | None
    ) -> asyncio.Task[list[str]]:
        if row.id not in self._pollings:
            self._pollings[row.id] = Polling(self._worker, recipe, poll)
        polling = self._pollings[row.id].once(row.id, clock.now(), asked=asked, by=by)
        task = self._polls[row.id] = asyncio.get_running_loop().create_task(polling)
        self._polled.add(row.id)
        task.add_done_callback(lambda task: self._poll_ended(row, task))
        return task

    def _poll_ended(self, row: Row, task: asyncio.Task[list[str]]) -> None:
        del self._polls[row.id]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, PollFailed):  # which is on record
            _say_failed(row, error)
            self._not_before[row.id] = clock.now() + _AGAIN
        self._wake()

    # --- by hand ---

    async def fire(self, recipe: Recipe[..., Any], identity: str | None, by: str) -> list[str]:
        """Fire a trigger now, paused or not; the ids of the jobs that it starts.

        Raises TriggerNotFound, PollFailed.
        """
        trigger = find_timed(recipe, identity)
        project, kept = self._worker.project.name, as_kept(recipe, trigger)
        trigger_id = await self._store.write(triggers.ensure, project, kept, clock.now())
        row = await self._store.read(triggers.get, trigger_id)
        if isinstance(trigger, Cron):
            return await self._fire_now(row, recipe, trigger, asked=None, by=by)
        while (under_way := self._polls.get(row.id)) is not None:
            await asyncio.wait({under_way})
        return await self._begin_poll(row, recipe, trigger, asked=None, by=by)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _say_failed(row: Row, error: BaseException) -> None:
    facts = {"event": "trigger.failed", "recipe": row.recipe, "trigger": row.identity}
    _log.error("%s of %s: %s", row.identity, row.recipe, error, exc_info=error, extra=facts)


def _say_fired(row: Row, times: list[float], first: float) -> None:
    facts = {"event": "trigger.fired", "recipe": row.recipe, "trigger": row.identity}
    match times:
        case []:
            what = f"skips what was due since {_iso(first)}"
        case [only] if only == first:
            what = f"starts a job for {_iso(only)}"
        case _:
            what = f"starts {len(times)} of the jobs that were due since {_iso(first)}"
    _log.info("%s of %s %s", row.identity, row.recipe, what, extra=facts)
