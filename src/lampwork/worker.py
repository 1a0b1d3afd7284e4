"""The executing process: starts, wakes, parks and ends the runs of jobs.

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

from lampwork import clock, failpoint, models, values
from lampwork.counters import Work
from lampwork.engine import Engine, RecordedCall
from lampwork.errors import JobEnded, JobNotFound
from lampwork.outcome import outcome_of
from lampwork.presence import Presence
from lampwork.runs.cancellation import finish_cancelled, settle
from lampwork.runs.flow import EndReason, RunEnded
from lampwork.runs.progress import say_ended, say_waiting
from lampwork.runs.run import Run, in_hand
from lampwork.runs.wait import Delivery, Waits
from lampwork.settings import Settings
from lampwork.store import executors, inbox, jobs, queued, queues
from lampwork.store.share import Share
from lampwork.store.store import Store
from lampwork.tasks.texts import Texts
from lampwork.tasks.under_way import CallsUnderWay
from lampwork.tracing import trace_end
from lampwork.types import ENDED, JobStatus, Want

if TYPE_CHECKING:
    from lampwork.genies.cast import Cast
    from lampwork.otel import Telemetry
    from lampwork.project import Project

T = TypeVar("T")

_log = logging.getLogger("lampwork.worker")

_SHOW_WAITING_AFTER = 0.02
"""Seconds after which a job that only waits is shown as suspended: most waits are shorter."""

_BACKOFF = 1.0
"""Seconds until a job is tried again that the database, or the engine, has let down."""


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
        self._trees = settings.trees
        self.waits = Waits()
        self.texts = Texts()
        self.calls_under_way = CallsUnderWay()
        self.counters = Work()
        self.telemetry = telemetry
        self.runs: dict[str, Run] = {}
        self.on_job_ended: list[Callable[[jobs.EndedJob], None]] = []
        self.on_progress: list[Callable[[Run], None]] = []
        self.closing = False
        self.alone: str | None = None
        """A job that runs while no other one starts, see recovery.py."""
        self.missing: dict[str, float] = {}
        """Jobs that the last sweep found claimed here, without a run, and when it first did."""
        self.crowded = False
        """Whether accepted jobs wait for room."""
        self.limited = frozenset(
            each.name for each in project.recipes.values() if each.concurrency is not None
        )
        """The recipes of which only so many jobs run at a time."""
        self._turn = ""
        """What the last job is of that was taken from those that waited."""
        self._starting: set[str] = set()
        self._making_room: asyncio.Task[None] | None = None
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._background: set[asyncio.Task[Any]] = set()
        self._clock: clock.Timer | None = None
        self._clock_at: float | None = None
        self.counted = 0
        """The changes of the store when what is counted was last written down."""

    @property
    def share(self) -> Share:
        """The jobs that it executes."""
        return Share(self.project.name, self.presence.id, self.settings.kept_code, self._trees)

    # --- a run, from its start to its end ---

    async def execute(self, job_id: str) -> str:
        """Run a job: called by the engine, once per claim; the envelope of its outcome.

        The engine records what this returns, if the run owns the job; when it has, and only then,
        the job's end is published. Nothing but RunEnded leaves it.
        """
        failpoint.hit("job.claimed")
        try:
            run = await self._begin(job_id)
        except Exception as error:
            if self.closing:  # the engine has been closed under it
                raise RunEnded(job_id, "closing") from error
            facts = {"event": "job.let_down", "job_id": job_id}
            _log.error("job %s can't begin: %s", job_id, error, exc_info=error, extra=facts)
            self._later(_BACKOFF, self._take_back, job_id)
            raise RunEnded(job_id, "infrastructure") from error
        except RunEnded:
            self.background(self._let_go(job_id))
            raise
        in_hand.set(run)
        try:
            if self.closing:
                run.end("closing")
            envelope = await self._go(run)
            failpoint.hit("job.before_outcome")
            engine_task = asyncio.current_task()
            assert engine_task is not None
            engine_task.add_done_callback(lambda done: self._recorded(run, done))
            return envelope
        except Exception as error:
            facts = {"event": "job.let_down", "job_id": job_id}
            _log.error("job %s stops for now: %s", job_id, error, exc_info=error, extra=facts)
            run.end("infrastructure")
            self._forget(run)
            self._later(_BACKOFF, self._take_back, job_id)
            raise RunEnded(job_id, "infrastructure") from error
        except RunEnded:
            if run.ended in ("deposed", "infrastructure"):
                self._later(_BACKOFF, self._take_back, job_id)
            self._forget(run)
            raise

    def _recorded(self, run: Run, engine_task: asyncio.Task[str]) -> None:
        """The engine is done with a run: publish what it has on record."""
        if engine_task.cancelled() or engine_task.exception() is not None:
            self._forget(run)
            self._later(_BACKOFF, self._take_back, run.job_id)
        else:
            self.background(self._publish_run(run, engine_task.result()))

    async def _publish_run(self, run: Run, folded: str) -> None:
        try:
            await self.publish(run.job_id, folded)
        except Exception:
            self._later(_BACKOFF, self._take_back, run.job_id)
            raise
        finally:
            self._forget(run)

    async def publish(self, job_id: str, folded: str) -> None:
        """Make a job's recorded outcome known, in one transaction with all that waits for it."""
        failpoint.hit("job.before_publish")
        outcome = values.read(await self.store.unfold(folded))
        trace = outcome.traceback if isinstance(outcome, values.Failure) else None
        status = "succeeded" if isinstance(outcome, values.Value) else "failed"
        ended = await self.store.write(jobs.finish, job_id, status, folded, trace)
        failpoint.hit("job.after_publish")
        self.after_end(job_id, ended, outcome)

    def _forget(self, run: Run) -> None:
        if self.runs.get(run.job_id) is run:
            del self.runs[run.job_id]
            self._left()
            for callback in self.on_progress:
                callback(run)

    def _left(self) -> None:
        """A run has made room."""
        if self.crowded and not self.closing:
            self.background(self.start_queued())

    async def _begin(self, job_id: str) -> Run:
        begun = await self.store.write(jobs.begin, job_id, self.presence.id, self.version)
        if begun.row.want not in ("run", "parked") or begun.row.status in ENDED:
            raise RunEnded(job_id, "cancelled")
        recorded: dict[int, RecordedCall] = {}
        if begun.row.started_at is not None:
            recorded = {each.number: each for each in await self.engine.recorded(job_id)}
        run = Run(self, begun, recorded)
        if (older := self.runs.get(job_id)) is not None:
            # The engine refuses the one of them that does not own the job.
            older.end("deposed")
        self.runs[job_id] = run
        self._starting.discard(job_id)
        self.missing.pop(job_id, None)
        failpoint.hit("job.begun")
        return run

    async def _let_go(self, job_id: str) -> None:
        """Take a job back from the engine that was started while it was cancelled or stopped."""
        async with self.lock(job_id):
            row = await self.store.read(jobs.get, job_id)
            if row.status in ENDED or row.want not in ("run", "parked"):
                await self.engine.cancel(job_id)

    async def _go(self, run: Run) -> str:
        """The recipe's outcome, as the engine is to record it."""
        with run.above(run.job_id):
            outcome = await outcome_of(run)
        await run.end_of_recipe(outcome)
        return await self.store.fold(values.write(outcome), run.job_id)

    def after_end(
        self, job_id: str, ended: jobs.Ended, outcome: values.Outcome | None = None
    ) -> None:
        """What the end of a job sets off in this process."""
        if ended.job is None:
            return
        self.counters.ended(ended.job.status)
        if self.telemetry is not None:
            self.background(trace_end(self, self.telemetry, job_id, outcome))
        say_ended(ended.job, outcome)
        for callback in self.on_job_ended:
            callback(ended.job)
        self.deliver(ended.answered)
        for each in ended.to_start:
            self.start_soon(each)
        if ended.freed and not self.closing:
            self.background(self.let_in())

    # --- starting ---

    def take_on(self, roots: Iterable[str]) -> None:
        """Execute these trees as well, if not every tree is executed here anyway."""
        if self._trees is not None and not self._trees.issuperset(roots):
            self._trees = self._trees.union(roots)
            self.background(self.start_queued())

    def accepted(self, job_id: str) -> None:
        """A job at the top of its tree was accepted here, and is in our charge."""
        self.take_on([job_id])
        self.start_soon(job_id)

    def copied(self, job_id: str) -> None:
        """A copy of a job was made here: it is executed here, unless somebody else takes it."""
        self.take_on([job_id])
        self.background(self.start_queued())

    def start_soon(self, job_id: str) -> None:
        """Start a job that is in our charge when there is room."""
        if self.closing or self.alone or job_id in self.runs or job_id in self._starting:
            return
        if self._room() <= 0:
            self.crowded = True
            self._make_room()
            return
        self._starting.add(job_id)
        self.background(self._start(job_id))

    async def _start(self, job_id: str) -> None:
        try:
            if await self._enters(job_id):
                await self.engine.start(job_id)
        finally:
            self._starting.discard(job_id)

    async def _enters(self, job_id: str) -> bool:
        """Whether a job may run beside the others of its recipe; from here on it counts."""
        return not self.limited or await self.store.write(queues.enter, job_id)

    async def _lacks_run(self, job_id: str, want: Want) -> bool:
        """Whether a job is ours to run, is wanted so, and has no run here. Under its lock.

        Several projects may share a folder; each one's jobs wait until it is open.
        """
        run = self.runs.get(job_id)
        if self.closing or self.alone not in (None, job_id) or (run is not None and not run.ended):
            return False
        return await self.store.read(jobs.is_meant_to, job_id, want, self.share)

    def _room(self) -> int:
        return self.settings.max_live - len(self.runs) - len(self._starting)

    async def start_queued(self) -> None:
        """Start jobs that were accepted, here or by other processes, as far as there is room."""
        room = self._room()
        if self.alone or self.closing:
            return
        if room <= 0:
            self._make_room()
            return
        starting = set(self._starting)  # their rows say queued until they have begun
        limit = room + len(starting) + 1
        found = await self.store.read(queued.to_start, self.share, limit, self._turn)
        waiting = [each for each in found if each.id not in starting]
        self.crowded = len(waiting) > room
        if not waiting:
            return
        ours = [each.id for each in waiting[:room]]
        taken = await self.store.write(jobs.take_charge, ours, self.share)
        known = await self.engine.standings(taken)
        for each in waiting[:room]:
            if each.id not in taken:
                continue
            self._turn = each.callable
            if each.id in known:  # its process was killed between its start and its begin
                self.background(self.revive(each.id))
            else:
                self.start_soon(each.id)

    async def let_in(self) -> None:
        """A job of a limited recipe has made way for others of it: those that may go on do."""
        await self.start_queued()
        for job_id in await self.store.read(queues.to_wake, self.share.project):
            self.background(self.wake(job_id))

    def _make_room(self) -> None:
        """Park waiting runs, once at a time: jobs have been accepted that find no room."""
        if self._making_room is None or self._making_room.done():
            idle = [run for run in self.runs.values() if run.idle_since is not None]
            if idle:
                self._making_room = self.background(self._park_all(idle))

    async def _park_all(self, runs: list[Run]) -> None:
        for run in runs:
            if self._room() > 0:
                break
            await self.park(run)

    # --- waiting, parking, waking ---

    def became_idle(self, run: Run) -> None:
        """A run only waits from now on: show it soon, park it later."""
        loop = asyncio.get_running_loop()
        since = run.idle_since
        if self.crowded:
            loop.call_soon(self._make_room)
        if run.makes_way:
            loop.call_soon(self._park_idle, run, since)
        loop.call_later(_SHOW_WAITING_AFTER, self._show_waiting, run, since)
        loop.call_later(self.settings.park_after, self._park_idle, run, since)

    def _show_waiting(self, run: Run, since: float | None) -> None:
        if run.ended is None and not run.busy and run.idle_since == since and run.waiting_for:
            run.shown_waiting = True
            status = _waiting_status(run)
            self.store.submit(jobs.mark, run.job_id, status)
            say_waiting(run.job_id, run.waiting_for.values(), status)
            for callback in self.on_progress:
                callback(run)

    def _park_idle(self, run: Run, since: float | None) -> None:
        if run.ended is None and not run.busy and run.idle_since == since:
            self.background(self.park(run))

    async def park(self, run: Run) -> None:
        """Drop a run that only waits: its job is rows in tables until an answer wakes it."""
        async with self.lock(run.job_id):
            if run.ended is not None or run.busy or not run.waiting_for:
                return
            waits, status = list(run.waiting_for), _waiting_status(run)
            how = {"is_limited": run.makes_way}
            if not await self.store.write(jobs.park, run.job_id, waits, status, **how):
                # Answered meanwhile: on its way, or lost on its way from another process.
                self.deliver(await self.store.read(inbox.answers, waits))
                return
            failpoint.hit("park.committed")
            if (run.busy or run.answered) and not run.makes_way:
                # Its answer came while the row was written.
                await self.store.write(jobs.unpark, run.job_id, self.share)
                return
            self._end(run, "parked")
            await self.engine.cancel(run.job_id)
            failpoint.hit("park.done")
            if await self._lacks_run(run.job_id, "run"):
                # Somebody has woken it meanwhile, and may have found it running still.
                await self._make_run(run.job_id)
        if run.makes_way:
            await self.let_in()
        _log.info("job %s parked", run.job_id, extra={"event": "job.parked", "job_id": run.job_id})

    async def wake(self, job_id: str) -> None:
        """Let a parked job go on, if the answers that it has would get it anywhere."""
        async with self.lock(job_id):
            if not await self._lacks_run(job_id, "parked"):
                return
            if not await self.store.read(inbox.can_move, job_id):
                return
            if not await self._enters(job_id):
                return
            if not await self.store.write(jobs.unpark, job_id, self.share):
                return
            failpoint.hit("wake.committed")
            _log.info("job %s goes on", job_id, extra={"event": "job.woken", "job_id": job_id})
            await self._make_run(job_id)
            failpoint.hit("wake.done")

    async def revive(self, job_id: str, *, lost: bool = False) -> bool:
        """Run a job that is meant to run and does not; whether it was this process's to run.

        `lost` says that whoever the engine believes to run it does not; else it is left alone.
        """
        async with self.lock(job_id):
            if not await self._lacks_run(job_id, "run") or not await self._enters(job_id):
                return False
            if not await self.store.write(jobs.take_charge, [job_id], self.share):
                return False  # another one was quicker
            if lost and await self.engine.status(job_id) in ("pending", "enqueued"):
                await self.engine.cancel(job_id)
            await self._make_run(job_id)
            return True

    async def _take_back(self, job_id: str) -> None:
        await self.revive(job_id, lost=True)

    async def _make_run(self, job_id: str) -> None:
        """Make the engine follow a `want` of run. Under the job's lock."""
        match await self.engine.status(job_id):
            case "none":
                await self.engine.start(job_id)
            case "cancelled" | "error":  # an error of the engine's is no outcome of the job
                newest = await self.store.read(executors.newest_version, self.project.name)
                await self.engine.requeue(job_id, newest)
            case "success":
                # Its process ended between the engine's record and ours.
                await self.publish(job_id, await self.engine.outcome(job_id))
            case _:
                pass

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Bring answers to the runs that wait for them, or wake their jobs."""
        unheard = [each.job_id for each in deliveries if not self.waits.deliver(each)]
        for job_id in dict.fromkeys(unheard):
            self.background(self.wake(job_id))

    def expire_at(self, due_at: float) -> None:
        """Look at the clock again when a wait is due, in epoch seconds."""
        if self._clock_at is not None and self._clock_at <= due_at:
            return
        if self._clock is not None:
            self._clock.cancel()
        self._clock_at = due_at
        self._clock = clock.call_at(due_at, lambda: self.background(self.expire()))

    async def expire(self) -> None:
        """Tell the waits that are due that their time is up, and look again at the next one."""
        self._clock_at = None
        if self.closing:
            return
        due_at = await self.store.read(inbox.next_due)
        if due_at is not None and due_at <= clock.now():
            self.deliver(await self.store.write(inbox.expire, clock.now()))
            due_at = await self.store.read(inbox.next_due)
        if due_at is not None:
            self.expire_at(due_at)

    # --- stopping ---

    def _end(self, run: Run, reason: EndReason) -> None:
        run.end(reason)
        self._forget(run)

    async def stop_for_attention(self, run: Run, why: str) -> None:
        """Take a job out of the way until a person has looked."""
        freed = await self.store.write(jobs.need_attention, run.job_id, why)
        self._end(run, "attention")
        await self.engine.cancel(run.job_id)
        self.deliver(freed)

    async def cancel(self, job_id: str) -> None:
        """Cancel a job and all below it but detached ones, if it is there and has not ended."""
        with suppress(JobNotFound, JobEnded):
            self.end_cancelled(await self.store.write(jobs.want_cancelled, job_id))

    def end_cancelled(self, job_ids: Iterable[str]) -> None:
        """End jobs that are meant to be cancelled."""
        for job_id in job_ids:
            self.background(finish_cancelled(self, job_id))

    async def close(self) -> None:
        """End all runs; their jobs go on in the next process."""
        self.closing = True
        if self._clock is not None:
            self._clock.cancel()
        await self.end_all("closing")
        while self._background:  # what is done there may set off more
            await asyncio.gather(*self._background, return_exceptions=True)
        await models.close()

    async def end_all(self, reason: EndReason) -> None:
        """End all runs, and wait until their functions have ended, for as long as the grace is."""
        runs = list(self.runs.values())
        for run in runs:
            self._end(run, reason)
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

    # --- helpers of all of these ---

    @property
    def at_work(self) -> bool:
        """Whether it starts, wakes, parks or ends anything just now."""
        return bool(self._background or self._starting)

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

    def _later(
        self, seconds: float, work: Callable[[str], Coroutine[Any, Any, None]], job_id: str
    ) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: self.closing or self.background(work(job_id)))


def _waiting_status(run: Run) -> JobStatus:
    unresolved = any(wait.kind == "resolution" for wait in run.waiting_for.values())
    return "needs_attention" if unresolved else "suspended"
