"""What the rooms of the executing process share, and how it stops what it runs.

Everything here lives on the jobs' event loop. What is meant to happen to a job is in its row
(`want`); whoever changes it does so under the job's lock and then makes the engine follow.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from lampwork import models
from lampwork.counters import Work
from lampwork.engine import Engine
from lampwork.errors import JobEnded, JobNotFound
from lampwork.runs.cancellation import finish_cancelled, settle
from lampwork.runs.flow import EndReason
from lampwork.runs.run import Run
from lampwork.runs.wait import Delivery, Waits
from lampwork.settings import Settings
from lampwork.store.jobs import cancelled, jobs, wanted
from lampwork.store.processes.share import Share
from lampwork.store.store import Store
from lampwork.tasks.texts import Texts
from lampwork.tasks.under_way import CallsUnderWay
from lampwork.worker.admission import Admission
from lampwork.worker.execution import Execution
from lampwork.worker.expiry import Expiry
from lampwork.worker.parking import Parking
from lampwork.worker.presence import Presence
from lampwork.worker.waking import Waking

if TYPE_CHECKING:
    from lampwork.genies.cast import Cast
    from lampwork.otel import Telemetry
    from lampwork.project import Project

T = TypeVar("T")

_log = logging.getLogger("lampwork.worker")


class Worker:
    """Executes the jobs of one project."""

    def __init__(
        self,
        project: Project,
        settings: Settings,
        store: Store,
        engine: Engine,
        presence: Presence,
        cast: Cast,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.project = project
        self.settings = settings
        self.store = store
        self.engine = engine
        self.presence = presence
        self.cast = cast
        self.version = project.version
        self.trees = settings.trees
        """The trees of jobs that alone are executed here; None: all."""
        self.waits = Waits()
        self.texts = Texts()
        self.calls_under_way = CallsUnderWay()
        self.counters = Work()
        self.counted = 0
        """The changes of the store when what is counted was last written down."""
        self.telemetry = telemetry
        self.runs: dict[str, Run] = {}
        self.proving: set[Run] = set()
        """Runs that are not yet among these: whether their jobs are theirs is being asked."""
        self.on_job_ended: list[Callable[[jobs.EndedJob], None]] = []
        self.on_progress: list[Callable[[Run], None]] = []
        self.closing = False
        self.alone: str | None = None
        """A job that runs while no other one starts, see recovery.py."""
        self.recovering = asyncio.Lock()
        """Held while the jobs of processes that are gone are looked at."""
        self.missing: dict[str, float] = {}
        """Jobs that the last sweep found claimed here, without a run, and when it first did."""
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._background: set[asyncio.Task[Any]] = set()
        self.admission = Admission(self)
        self.execution = Execution(self)
        self.parking = Parking(self)
        self.waking = Waking(self)
        self.expiry = Expiry(self)

    @property
    def share(self) -> Share:
        """The jobs that it executes."""
        of = self.project.name, self.presence.id, self.settings.kept_code, self.trees
        return Share(*of, self.version if self.presence.beats else None)

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Bring answers to the runs that wait for them, or wake their jobs."""
        unheard = [
            each.job_id
            for each in deliveries
            # A run that is not known here any more hears of it, too, and does nothing about it.
            if not self.waits.deliver(each) or each.job_id not in self.runs
        ]
        for job_id in dict.fromkeys(unheard):
            self.background(self.waking.wake(job_id))

    # --- stopping ---

    def end(self, run: Run, reason: EndReason) -> None:
        """End a run: it starts nothing from here on, and has made room."""
        run.end(reason)
        self.forget(run)

    def forget(self, run: Run) -> None:
        """Count a run that has ended no more, unless another one has taken its place."""
        if self.runs.get(run.job_id) is run:
            del self.runs[run.job_id]
            self.admission.has_left()
            for callback in self.on_progress:
                callback(run)

    def stop_for_attention(self, run: Run, why: str) -> None:
        """End a run, and take its job out of the way until a person has looked."""
        self.end(run, "attention")
        self.background(self._out_of_the_way(run, why))

    async def _out_of_the_way(self, run: Run, why: str) -> None:
        async with self.lock(run.job_id):  # who lets it go on at once finds it cancelled
            freed = await self.store.write(wanted.need_attention, run.job_id, why)
            await self.engine.cancel(run.job_id)
        self.deliver(freed)
        if run.makes_way:
            await self.admission.let_in()

    async def cancel(self, job_id: str) -> None:
        """Cancel a job and all below it but detached ones, if it is there and has not ended."""
        with suppress(JobNotFound, JobEnded):
            self.end_cancelled(await self.store.write(cancelled.want_cancelled, job_id))

    def end_cancelled(self, job_ids: Iterable[str]) -> None:
        """End jobs that are meant to be cancelled."""
        for job_id in job_ids:
            self.background(finish_cancelled(self, job_id))

    async def close(self) -> None:
        """End all runs; their jobs go on in the next process."""
        self.closing = True
        self.expiry.stop()
        await self.end_all("closing")
        while self._background:  # what is done there may set off more
            await asyncio.gather(*self._background, return_exceptions=True)
        await models.close()

    async def end_all(self, reason: EndReason) -> None:
        """End all runs, and wait until their functions have ended, for as long as the grace is."""
        runs = list(self.runs.values())
        for run in runs:
            self.end(run, reason)
        await asyncio.gather(*(self._settle(run) for run in runs))

    async def _settle(self, run: Run) -> None:
        left = await settle(run, self.settings.grace)
        if left:
            _log.error(
                "job %s: %s has not ended within %g s and is left: what it does from here on is "
                "on no record",
                run.job_id,
                ", ".join(left),
                self.settings.grace,
                extra={"event": "job.left", "job_id": run.job_id},
            )

    # --- what all rooms use ---

    @property
    def at_work(self) -> bool:
        """Whether it starts, wakes, parks or ends anything just now."""
        return bool(self._background) or self.admission.is_starting

    def lock(self, job_id: str) -> asyncio.Lock:
        """The lock under which a job's `want` and the engine are changed together."""
        lock = self._locks.get(job_id)
        if lock is None:
            lock = self._locks[job_id] = asyncio.Lock()
        return lock

    def background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do something beside; what it raises is logged, and the sweep makes good for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            facts = {"event": "worker.work_failed"}
            _log.error("background work failed: %s", error, exc_info=error, extra=facts)

    def later(self, seconds: float, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Do something beside after a while, unless the process closes before."""
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: self.closing or self.background(work()))
