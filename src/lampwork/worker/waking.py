"""Jobs run again: a parked one that has been answered, and one that lost its run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lampwork import failpoint
from lampwork.store.jobs import inbox, wanted
from lampwork.store.processes import executors
from lampwork.types import Want

if TYPE_CHECKING:
    from lampwork.worker.worker import Worker

_log = logging.getLogger("lampwork.worker")


class Waking:
    """Makes the engine run a job that it does not run."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def wake(self, job_id: str) -> None:
        """Let a parked job go on, if the answers that it has would get it anywhere."""
        worker = self._worker
        async with worker.lock(job_id):
            if not await self._lacks_run(job_id, "parked"):
                return
            if not await worker.store.read(inbox.can_move, job_id):
                return
            if not await worker.admission.enters(job_id):
                return
            if not await worker.store.write(wanted.unpark, job_id, worker.share):
                return
            failpoint.hit("wake.committed")
            _log.info("job %s goes on", job_id, extra={"event": "job.woken", "job_id": job_id})
            await self._make_run(job_id)
            failpoint.hit("wake.done")

    async def revive(self, job_id: str, *, lost: bool = False) -> bool:
        """Run a job that is meant to run and does not; whether it was this process's to run.

        `lost` says that whoever the engine believes to run it does not; else it is left alone.
        """
        worker = self._worker
        async with worker.lock(job_id):
            if not await self._lacks_run(job_id, "run"):
                return False
            if not await worker.admission.enters(job_id):
                return False
            if not await worker.store.write(wanted.take_charge, [job_id], worker.share):
                return False  # another one was quicker
            status = await worker.engine.status(job_id)
            if self._has_run(job_id):
                return False  # the engine has handed it out here meanwhile
            if lost and status in ("pending", "enqueued"):
                await worker.engine.cancel(job_id)
            await self._make_run(job_id)
            return True

    async def run_if_woken(self, job_id: str) -> None:
        """Run a job that has just been parked, under its lock, if somebody has woken it meanwhile.

        Who did may have found it running still.
        """
        if await self._lacks_run(job_id, "run"):
            await self._make_run(job_id)

    async def _lacks_run(self, job_id: str, want: Want) -> bool:
        """Whether a job is ours to run, is wanted so, and has no run here. Under its lock.

        Several projects may share a folder; each one's jobs wait until it is open.
        """
        worker = self._worker
        if worker.closing or worker.alone not in (None, job_id):
            return False
        if self._has_run(job_id):
            if worker.admission.is_beginning(job_id):
                again = self.wake if want == "parked" else self.revive
                worker.admission.unless_begins(job_id, again)
            return False
        if not worker.presence.holds:
            return False  # its run would be over at once, again and again
        return await worker.store.read(wanted.is_meant_to, job_id, want, worker.share)

    def _has_run(self, job_id: str) -> bool:
        """Whether a run of a job is here that goes on, or begins."""
        run = self._worker.runs.get(job_id)
        goes_on = run is not None and not run.ended
        return goes_on or self._worker.admission.is_beginning(job_id)

    async def _make_run(self, job_id: str) -> None:
        """Make the engine follow a `want` of run. Under the job's lock."""
        worker = self._worker
        match await worker.engine.status(job_id):
            case "none":
                await worker.admission.hand_out(job_id, worker.engine.start)
            case "cancelled" | "error":  # an error of the engine's is no outcome of the job
                newest = await worker.store.read(executors.newest_version, worker.project.name)
                if newest in (None, worker.version) and worker.admission.room > 0:
                    await worker.admission.hand_out(job_id, worker.engine.restart)
                else:
                    await worker.engine.requeue(job_id, newest)
            case "success":
                # Its process ended between the engine's record and ours.
                await worker.execution.publish(job_id, await worker.engine.outcome(job_id))
            case _:
                pass
