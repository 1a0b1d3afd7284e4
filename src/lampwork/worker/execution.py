"""A run of a job, from the engine's claim to the publication of how the job ended."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lampwork import failpoint, values
from lampwork.engine import Deposed, prove_ownership
from lampwork.outcome import outcome_of
from lampwork.runs.flow import RunEnded
from lampwork.runs.progress import say_ended
from lampwork.runs.run import Run, in_hand
from lampwork.store.jobs import endings, jobs
from lampwork.types import ENDED
from lampwork.worker.tracing import trace_end

if TYPE_CHECKING:
    from lampwork.worker.worker import Worker

_log = logging.getLogger("lampwork.worker")

_BACKOFF = 1.0
"""Seconds until a job is tried again that the database, or the engine, has let down."""


class Execution:
    """Executes jobs for the engine, and publishes their ends."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def execute(self, job_id: str) -> str:
        """Run a job: called by the engine, once per claim; the envelope of its outcome.

        The engine records what this returns, if the run owns the job; when it has, and only then,
        the job's end is published. Nothing but RunEnded leaves it.
        """
        try:
            with self._worker.admission.beginning(job_id):
                run = await self._begin(job_id)
        except Exception as error:
            if self._worker.closing:  # the engine has been closed under it
                raise RunEnded(job_id, "closing") from error
            facts = {"event": "job.let_down", "job_id": job_id}
            _log.error("job %s can't begin: %s", job_id, error, exc_info=error, extra=facts)
            self._take_back_later(job_id)
            raise RunEnded(job_id, "infrastructure") from error
        except RunEnded:
            self._worker.background(self.let_go(job_id))
            raise
        in_hand.set(run)
        try:
            if self._worker.closing:
                run.end("closing")
            envelope = await self._go(run)
            failpoint.hit("job.before_outcome")
            engine_task = asyncio.current_task()
            assert engine_task is not None
            engine_task.add_done_callback(lambda done: self._recorded(run, done))
            return envelope
        except Exception as error:
            ended = run.unavailable(error)
            self._worker.forget(run)
            self._take_back_later(job_id)
            raise ended from error
        except RunEnded:
            if run.ended in ("deposed", "infrastructure"):
                self._take_back_later(job_id)
            self._worker.forget(run)
            raise

    async def _begin(self, job_id: str) -> Run:
        failpoint.hit("job.claimed")
        worker = self._worker
        begun = await worker.store.write(jobs.begin, job_id, worker.presence.id, worker.version)
        if begun.row.want not in ("run", "parked") or begun.row.status in ENDED:
            raise RunEnded(job_id, "cancelled")
        if (older := worker.runs.get(job_id)) is not None:
            older.end("deposed")
        run = Run(worker, begun)
        if begun.row.started_at is not None:
            # The engine takes an outcome of its owner alone, so no other run may lead; of several
            # that it claimed, one that begins late would. Whoever is deposed so is taken back.
            worker.proving.add(run)
            try:
                await prove_ownership()
            except Deposed as error:
                raise RunEnded(job_id, "deposed") from error
            finally:
                worker.proving.discard(run)
            if run.ended is not None:  # its job was cancelled meanwhile
                raise RunEnded(job_id, run.ended)
        worker.runs[job_id] = run
        worker.missing.pop(job_id, None)
        failpoint.hit("job.begun")
        return run

    async def _go(self, run: Run) -> str:
        """The recipe's outcome, as the engine is to record it."""
        with run.above(run.job_id):
            outcome = await outcome_of(run)
        await run.end_of_recipe(outcome)
        return await self._worker.store.fold(values.write(outcome), run.job_id)

    def _recorded(self, run: Run, engine_task: asyncio.Task[str]) -> None:
        """The engine is done with a run: publish what it has on record."""
        if engine_task.cancelled() or engine_task.exception() is not None:
            self._worker.forget(run)
            self._take_back_later(run.job_id)
        else:
            self._worker.background(self._publish_run(run, engine_task.result()))

    async def _publish_run(self, run: Run, folded: str) -> None:
        try:
            await self.publish(run.job_id, folded)
        except Exception:
            self._take_back_later(run.job_id)
            raise
        finally:
            self._worker.forget(run)

    async def publish(self, job_id: str, folded: str) -> None:
        """Make a job's recorded outcome known, in one transaction with all that waits for it."""
        failpoint.hit("job.before_publish")
        store = self._worker.store
        outcome = values.read(await store.unfold(folded))
        trace = outcome.traceback if isinstance(outcome, values.Failure) else None
        status = "succeeded" if isinstance(outcome, values.Value) else "failed"
        ended = await store.write(endings.finish, job_id, status, folded, trace)
        failpoint.hit("job.after_publish")
        self.after_end(job_id, ended, outcome)

    def after_end(
        self, job_id: str, ended: endings.Ended, outcome: values.Outcome | None = None
    ) -> None:
        """What the end of a job sets off in this process."""
        if ended.job is None:
            return
        worker = self._worker
        worker.counters.ended(ended.job.status)
        if worker.telemetry is not None:
            worker.background(trace_end(worker, worker.telemetry, job_id, outcome))
        say_ended(ended.job, outcome)
        for callback in worker.on_job_ended:
            callback(ended.job)
        worker.deliver(ended.answered)
        for each in ended.to_start:
            worker.admission.start_soon(each)
        if ended.freed and not worker.closing:
            worker.background(worker.admission.let_in())

    async def let_go(self, job_id: str) -> None:
        """Take a job back from the engine that was started while it was cancelled or stopped."""
        worker = self._worker
        async with worker.lock(job_id):
            row = await worker.store.read(jobs.get, job_id)
            if row.status in ENDED or row.want not in ("run", "parked"):
                await worker.engine.cancel(job_id)

    def _take_back_later(self, job_id: str) -> None:
        """Run a job again after a while whose run is lost, whatever the engine believes."""
        self._worker.later(_BACKOFF, lambda: self._worker.waking.revive(job_id, lost=True))
