"""Jobs that only wait: shown as such soon, and let go of later; then they are rows in tables."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lampwork import failpoint
from lampwork.runs.progress import say_waiting
from lampwork.runs.run import Run
from lampwork.store.jobs import inbox, jobs, wanted
from lampwork.types import JobStatus

if TYPE_CHECKING:
    from lampwork.worker.worker import Worker

_log = logging.getLogger("lampwork.worker")

_SHOW_WAITING_AFTER = 0.02
"""Seconds after which a job that only waits is shown as suspended: most waits are shorter."""


class Parking:
    """Parks runs that only wait."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._making_room: asyncio.Task[None] | None = None

    def became_idle(self, run: Run) -> None:
        """A run only waits from now on: show it soon, park it later."""
        loop = asyncio.get_running_loop()
        since = run.idle_since
        if self._worker.admission.crowded:
            loop.call_soon(self.make_room)
        if run.makes_way:
            loop.call_soon(self._park_idle, run, since)
        loop.call_later(_SHOW_WAITING_AFTER, self._show_waiting, run, since)
        loop.call_later(self._worker.settings.park_after, self._park_idle, run, since)

    def _show_waiting(self, run: Run, since: float | None) -> None:
        if run.ended is None and not run.busy and run.idle_since == since and run.waiting_for:
            run.shown_waiting = True
            status = _waiting_status(run)
            self._worker.store.submit(jobs.mark, run.job_id, status)
            say_waiting(run.job_id, run.waiting_for.values(), status)
            for callback in self._worker.on_progress:
                callback(run)

    def _park_idle(self, run: Run, since: float | None) -> None:
        if run.ended is None and not run.busy and run.idle_since == since:
            self._worker.background(self.park(run))

    async def park(self, run: Run) -> None:
        """Drop a run that only waits: its job is rows in tables until an answer wakes it."""
        worker = self._worker
        async with worker.lock(run.job_id):
            if run.ended is not None or run.busy or not run.waiting_for:
                return
            waits, status = list(run.waiting_for), _waiting_status(run)
            how = {"is_limited": run.makes_way}
            if not await worker.store.write(wanted.park, run.job_id, waits, status, **how):
                # Answered meanwhile: on its way, or lost on its way from another process.
                worker.deliver(await worker.store.read(inbox.answers, waits))
                return
            failpoint.hit("park.committed")
            if (run.busy or run.answered) and not run.makes_way:
                # Its answer came while the row was written.
                await worker.store.write(wanted.unpark, run.job_id, worker.share)
                return
            worker.end(run, "parked")
            await worker.engine.cancel(run.job_id)
            failpoint.hit("park.done")
            await worker.waking.run_if_woken(run.job_id)
        if run.makes_way:
            await worker.admission.let_in()
        _log.info("job %s parked", run.job_id, extra={"event": "job.parked", "job_id": run.job_id})

    def make_room(self) -> None:
        """Park waiting runs, once at a time: jobs have been accepted that find no room."""
        if self._making_room is None or self._making_room.done():
            idle = [run for run in self._worker.runs.values() if run.idle_since is not None]
            if idle:
                self._making_room = self._worker.background(self._park_all(idle))

    async def _park_all(self, runs: list[Run]) -> None:
        for run in runs:
            if self._worker.admission.room > 0:
                break
            await self.park(run)


def _waiting_status(run: Run) -> JobStatus:
    unresolved = any(wait.kind == "resolution" for wait in run.waiting_for.values())
    return "needs_attention" if unresolved else "suspended"
