"""After a crash, and every few seconds: what is meant to happen to jobs is made to happen."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from lampwork import clock
from lampwork.engine import NEVER_STARTED, Standing
from lampwork.errors import StoreUnavailable
from lampwork.runs.attention import need_person
from lampwork.runs.run import Run
from lampwork.store import blobs
from lampwork.store.jobs import cancelled, inbox, jobs, queued, wanted
from lampwork.store.processes import executors
from lampwork.store.tasks import uploads
from lampwork.worker.worker import Worker

_log = logging.getLogger("lampwork.worker")

_STOPPED_AFTER = 5
"""Crashes after which a person must look."""

_ALONE_FOR = 60.0
"""Seconds after which a job that runs alone, and has not crashed, lets the others go on."""

_LOOK_AGAIN = 1.0
"""Seconds between two looks at whether a job that runs alone does so here."""

_LOST_AFTER = 2.0
"""Seconds for which a claimed job must be without a run: to begin takes a moment."""

_COUNT_EVERY = 5.0
"""Seconds between two writes of what the process counts; none while nothing is written."""

_CHUNK = 500


async def recover(worker: Worker) -> None:
    """Let every job go on that a process which is gone has left.

    A job is suspect if its own code was executing when a process crashed. After two such crashes
    it runs alone, so that it cannot take others with it, nor they be blamed for it; after five it
    needs attention.
    """
    async with worker.recovering:
        for suspect in await worker.store.read(executors.suspects, worker.share):
            if suspect.id in worker.runs:
                continue
            if suspect.crashes >= _STOPPED_AFTER:
                why = f"its process crashed {suspect.crashes} times while it was executing"
                worker.deliver(await worker.store.write(wanted.need_attention, suspect.id, why))
                need_person(suspect.id, why, "When that is mended", "go-on")
            else:
                await _run_alone(worker, suspect.id)
        await sweep(worker)
    worker.expiry.look_at(0)


async def _run_alone(worker: Worker, job_id: str) -> None:
    """Run one job while nothing else starts, until it ends or reaches a wait."""
    progressed = asyncio.Event()

    def on_progress(run: Run) -> None:
        if run.job_id == job_id:
            progressed.set()

    def on_end(ended: jobs.EndedJob) -> None:
        if ended.id == job_id:
            progressed.set()

    worker.alone = job_id
    worker.on_progress.append(on_progress)
    worker.on_job_ended.append(on_end)
    try:
        facts = {"event": "job.alone", "job_id": job_id}
        _log.warning("job %s runs alone: its process has crashed", job_id, extra=facts)
        if await worker.waking.revive(job_id, lost=True):
            async with asyncio.timeout(_ALONE_FOR):
                await _gets_on(worker, job_id, progressed)
    except TimeoutError:
        facts = {"event": "job.alone_no_longer", "job_id": job_id}
        said = "job %s has run alone for %g s; the others go on"
        _log.warning(said, job_id, _ALONE_FOR, extra=facts)
    finally:
        worker.alone = None
        worker.on_progress.remove(on_progress)
        worker.on_job_ended.remove(on_end)


async def _gets_on(worker: Worker, job_id: str, progressed: asyncio.Event) -> None:
    """Return when it has, or when it is another process that executes it."""
    while not progressed.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN):
                await progressed.wait()
        if not await worker.store.read(wanted.is_meant_to, job_id, "run", worker.share):
            return


async def sweep(worker: Worker) -> None:
    """Compare what is meant to happen with what does, and make good for the difference."""
    await worker.admission.start_queued()
    if not worker.recovering.locked():
        # Who found their process gone may be of another project, or gone itself by now.
        suspects = await worker.store.read(executors.suspects, worker.share)
        if any(each.executor != worker.presence.id for each in suspects):
            worker.background(recover(worker))
    worker.end_cancelled(await worker.store.read(cancelled.to_cancel, worker.share))
    for job_id in await worker.store.read(inbox.movable_jobs, worker.share):
        worker.background(worker.waking.wake(job_id))
    await _sweep_running(worker)
    await _sweep_ended(worker)
    if (due_at := await worker.store.read(inbox.next_due)) is not None:
        worker.expiry.look_at(due_at)  # again, should an earlier look at the clock have failed


async def _sweep_running(worker: Worker) -> None:
    """Jobs that are meant to run, and have no run here.

    One that the engine believes to be running here, twice in a row, was claimed by a commit whose
    answer got lost, or has lost its run: it is taken back. So is one whose executor is gone, and
    one that waits for code that nobody executes. One that another process has claimed, and not
    begun, is that one's to look after. One that nobody has claimed is started, if it has begun;
    those that wait for room wait on.
    """
    found = await worker.store.read(queued.to_start, worker.share, worker.settings.max_live)
    waiting = {each.id for each in found}
    begun = await worker.store.read(wanted.begun_ids, worker.share)
    absent = [each for each in (*begun, *waiting) if each not in worker.runs]
    stranded = dict[str, float]()
    now = asyncio.get_running_loop().time()
    alive = await worker.store.read(executors.alive)
    for start in range(0, len(absent), _CHUNK):
        chunk = absent[start : start + _CHUNK]
        standings = await worker.engine.standings(chunk)
        for job_id in chunk:
            standing = standings.get(job_id, NEVER_STARTED)
            if standing.status == "none" and job_id in waiting:
                continue
            if standing.status == "pending" and standing.executor == worker.presence.id:
                missing_since = worker.missing.get(job_id, now)
                if now - missing_since < _LOST_AFTER:
                    stranded[job_id] = missing_since
                    continue
            try:
                await _make_run(worker, job_id, standing, alive)
            except StoreUnavailable:
                raise
            except Exception as error:  # the others are none the worse for it
                facts = {"event": "job.let_down", "job_id": job_id}
                _log.error("job %s can't be run: %s", job_id, error, exc_info=error, extra=facts)
    worker.missing = stranded


async def _make_run(worker: Worker, job_id: str, standing: Standing, alive: dict[str, str]) -> None:
    """Run a job that is meant to run and has no run, unless others see to that."""
    match standing.status:
        case "none" | "cancelled" | "success" | "error":
            await worker.waking.revive(job_id)
        case "pending" if standing.executor == worker.presence.id:
            await worker.waking.revive(job_id, lost=True)
        case "pending" if standing.executor not in alive:
            await worker.waking.revive(job_id, lost=True)
        case "pending" if standing.executor is not None:
            claimed = [job_id], standing.executor
            await worker.store.write(wanted.give_charge, *claimed, worker.share)
        case "enqueued" if standing.version not in alive.values():
            await worker.waking.revive(job_id, lost=True)
        case _:
            pass


async def _sweep_ended(worker: Worker) -> None:
    """Jobs that have ended, and that the engine is to run: it lets go of them.

    An executor that was frozen hands a job to the engine as it thaws, whatever has become of it
    meanwhile, and may be killed, or lose the database, before it has taken that back. Nothing
    begins a job again that has ended, so whoever finds it may.
    """
    elsewhere = await worker.store.read(executors.alive)
    elsewhere.pop(worker.presence.id, None)
    found = await worker.engine.unfinished(elsewhere)
    absent = [each for each in found if each not in worker.runs]
    for start in range(0, len(absent), _CHUNK):
        chunk = absent[start : start + _CHUNK]
        for job_id in await worker.store.read(jobs.ended_ids, chunk):
            worker.background(worker.execution.let_go(job_id))


async def keep_sweeping(worker: Worker) -> None:
    """Sweep until the process ends; an error is logged and the next round tries again."""
    while True:
        await asyncio.sleep(worker.settings.sweep_interval)
        try:
            await sweep(worker)
        except Exception as error:
            _log.error("a sweep failed: %s", error, exc_info=error, extra={"event": "sweep.failed"})


async def keep_counting(worker: Worker) -> None:
    """Write down every few seconds what the process has counted, until it ends."""
    while True:
        await asyncio.sleep(_COUNT_EVERY)
        with suppress(StoreUnavailable):  # its next round says as much
            await count(worker)


async def count(worker: Worker) -> None:
    """Write down what this process has counted, if there is anything new."""
    commits = worker.store.counters
    if commits.changes != worker.counted:
        counters = worker.counters.to_json(commits)
        worker.counted = commits.changes + 1  # this write is one more, and nothing new
        await worker.store.write(executors.count, worker.presence.id, counters)


async def keep_collecting(worker: Worker) -> None:
    """Collect blobs until the process ends, at once for those of the process before this one."""
    while True:
        try:
            await collect(worker)
        except Exception as error:
            facts = {"event": "blobs.not_collected"}
            _log.error("collecting blobs failed: %s", error, exc_info=error, extra=facts)
        await asyncio.sleep(blobs.GRACE)


async def collect(worker: Worker) -> int:
    """Delete the blobs that nobody owns and nobody will; how many they were."""
    total = 0
    await worker.store.write(uploads.expire, clock.now())
    while count := await worker.store.write(blobs.collect, clock.now()):
        total += count
    return total


async def look(worker: Worker, after: int, topics: frozenset[str] | None) -> int:
    """What other processes have written: answers, new jobs, cancellations, mended ones.

    `topics` says what it is (see `store/processes/news.py`); None that it may be anything.
    """
    newest, deliveries = await worker.store.read(inbox.arrived, after, worker.share)
    worker.deliver(deliveries)
    if topics is None or "gone" in topics:
        await sweep(worker)
        return newest
    if "jobs" in topics:
        await worker.admission.start_queued()
    if "cancelled" in topics:
        worker.end_cancelled(await worker.store.read(cancelled.to_cancel, worker.share))
    return newest
