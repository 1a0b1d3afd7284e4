"""Whether the jobs of a process rest: nothing executes, and all that has begun only waits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from lampwork.errors import StillExecuting
from lampwork.runs.run import Run
from lampwork.store.jobs import cancelled, queued, wanted

if TYPE_CHECKING:
    from lampwork.testing.app import TestApp

__all__ = ["Patience", "at_rest", "settle"]

_LOOK_AGAIN = 0.002
"""Seconds between two looks."""

_ONE_LOOK = 0.1
"""Seconds that one look takes at the most, as far as somebody's patience goes."""


class Patience:
    """How long somebody looks again and again; while the machine stands still, nobody gets on."""

    def __init__(self, seconds: float) -> None:
        self._left, self._looked_at = seconds, time.monotonic()

    def is_over(self) -> bool:
        """Whether it has been looked for so long. Asked after each look."""
        now = time.monotonic()
        self._left -= min(now - self._looked_at, _ONE_LOOK)
        self._looked_at = now
        return self._left <= 0


async def settle(app: TestApp) -> None:
    """Return when its jobs rest. On the jobs' event loop. Raises StillExecuting."""
    patience = Patience(app.patience)
    while not await at_rest(app):
        if patience.is_over():
            raise StillExecuting(_still(app), jobs=sorted(app.worker.runs))
        await asyncio.sleep(_LOOK_AGAIN)


async def at_rest(app: TestApp) -> bool:
    """Whether nothing executes here, and nothing is about to. On the jobs' event loop."""
    worker = app.worker
    # The queued ones first: one that begins in between is among those that have begun.
    waiting = await app.store.read(queued.to_start, worker.share, worker.settings.max_live)
    meant = [each.id for each in waiting]
    meant += await app.store.read(wanted.begun_ids, worker.share)
    meant += await app.store.read(cancelled.to_cancel, worker.share)
    if app.settings.park_after <= 0 and any(map(_waits, worker.runs.values())):
        return False  # it is parked at once, and what comes next is to find it so
    runs = {job_id: run for job_id, run in worker.runs.items() if run.ended is None}
    if worker.at_work or app.schedule.polling or not set(meant) <= runs.keys():
        return False
    executing = [run.activities for run in runs.values() if not _waits(run)]
    # Who rests before the next try is one of its run's activities. A run that has none, and waits
    # for nothing, has something to go on with.
    return all(executing) and sum(executing) == app.clock.resting


def _waits(run: Run) -> bool:
    return not run.busy and bool(run.waiting_for) and not run.answered


def _still(app: TestApp) -> str:
    runs = app.worker.runs.values()
    what = [f"{name} of job {run.job_id}" for run in runs for name in run.executing()]
    return (
        f"After {app.patience:g} s this still executes: {', '.join(what) or 'a start or an end'}. "
        "Let it end, or move the clock while it does: advance(…, while_executing=True)."
    )
