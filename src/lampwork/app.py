"""An open project: the door of the process that executes its jobs."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from lampwork.door import Door
from lampwork.engine import Engine
from lampwork.engine.loop import LoopThread
from lampwork.errors import ExtraMissing, FolderInUse, StoreUnavailable
from lampwork.genies.cast import Cast
from lampwork.genies.eligibility import warn_of_ineligible
from lampwork.lock import FolderLock
from lampwork.models import TextDelta, resolve
from lampwork.place import Folder, Server
from lampwork.recipe import Recipe
from lampwork.runs.wait import Delivery
from lampwork.settings import Settings
from lampwork.store.jobs import inbox, jobs, limits
from lampwork.store.people.audit import Act, nothing, recorded
from lampwork.store.store import Store
from lampwork.triggers.schedule import Schedule
from lampwork.types import JobRef
from lampwork.upkeep import pruning
from lampwork.worker import Worker, recovery
from lampwork.worker.presence import Presence

if TYPE_CHECKING:
    from lampwork.otel import Telemetry
    from lampwork.project import Project

_log = logging.getLogger("lampwork.worker")

_PATIENCE = 5.0
"""Seconds beyond the grace that a database has to take what is to be written at the close."""

_BEGIN_AGAIN = 1.0
"""Seconds until a process that was found gone, and can't begin anew, tries again."""

_LOOK_FOR_ENDS = 1.0
"""Seconds between two looks at whether others have ended jobs that are waited for here."""

_CHUNK = 500
"""Jobs in one query."""

_one_per_process = threading.Lock()


class App(Door):
    """A project whose jobs this process executes. `async with project.open() as app`."""

    def __init__(self, project: Project, settings: Settings, *, cast: Cast | None = None) -> None:
        """Open everything; blocks. Raises FolderInUse, FolderNotWritable, DatabaseTooNew."""
        self.settings = settings
        self._waiters: dict[str, set[Future[jobs.EndedJob]]] = {}
        self._not_ended: set[str] = set()
        """Jobs that were accepted here and are known not to have ended."""
        self._seen = 0
        self._engine: Engine | None = None
        self._regularly: list[asyncio.Task[None]] = []
        """What is done now and then, until the close."""
        self._stack = ExitStack()
        try:
            self._open(project, cast or Cast(settings.model))
        except BaseException:
            self._undo()
            raise

    @staticmethod
    @asynccontextmanager
    async def opened(project: Project, settings: Settings) -> AsyncGenerator[App]:
        """The project, open until the block is left; unfinished jobs go on the next time."""
        app = await asyncio.to_thread(App, project, settings)
        try:
            yield app
        finally:
            await asyncio.to_thread(app.close)

    def _open(self, project: Project, cast: Cast) -> None:
        if self.settings.model is not None:
            resolve(self.settings.model).check()
        if not _one_per_process.acquire(blocking=False):
            raise FolderInUse(
                "This process has a project open already, and the engine takes one. "
                "Leave that `async with project.open()` first.",
                home=str(self.settings.home),
                pid=os.getpid(),
            )
        self._stack.callback(_one_per_process.release)
        place = self.settings.place
        if isinstance(place, Folder):
            self._stack.callback(FolderLock(place.path).release)
        store = Store(place)
        self._stack.callback(store.close)
        super().__init__(project, store, cast=cast, reading=self.settings.reading)
        self._loop = LoopThread()
        self._stack.callback(self._loop.close)
        telemetry = _telemetry(project.name) if self.settings.otel else None
        if telemetry is not None:
            self._stack.callback(telemetry.close)
        engine = self._engine = Engine(place, version=project.version)
        self._stack.callback(engine.close)
        if isinstance(place, Folder):
            engine.reclaim()
        if self.settings.kept_code is None:
            store.submit(limits.declare, project.name, _limits(project))
        warn_of_ineligible(project.genies.values())
        self._presence = Presence(
            store,
            project.name,
            project.version,
            limited=self.settings.trees is not None,
            interval=self.settings.heartbeat if isinstance(place, Server) else 0,
        )
        self.worker: Worker = Worker(
            project, self.settings, store, engine, self._presence, cast, telemetry
        )
        if telemetry is not None:
            telemetry.metrics.work, telemetry.metrics.commits = self.worker.counters, store.counters
        self.schedule: Schedule = Schedule(self.worker)
        self._stack.callback(lambda: self._loop.submit(self._end()).result())
        self._loop.submit(self._begin(engine)).result()

    async def _begin(self, engine: Engine) -> None:
        await self._presence.begin()
        engine.launch(self.worker.execution.execute, executor_id=self._presence.id)
        self.worker.on_job_ended.append(self._job_ended)
        self._seen = await self.store.read(inbox.newest_id)
        self._looking: asyncio.Task[None] | None = None
        self._unseen: list[frozenset[str] | None] = []
        # Before it is looked at what there is: of what comes later it is told.
        self.store.watch(lambda told: self._loop.call_soon(self._look, told), self._runs_here)
        if self.settings.triggers:
            self.worker.background(self.schedule.begin())
        self._regularly = [
            self.worker.background(recovery.recover(self.worker)),
            asyncio.create_task(recovery.keep_sweeping(self.worker)),
            asyncio.create_task(recovery.keep_collecting(self.worker)),
            asyncio.create_task(recovery.keep_counting(self.worker)),
            asyncio.create_task(self._keep_beating()),
        ]
        if self._presence.beats:
            self._regularly.append(asyncio.create_task(self._look_for_ends()))
        whole = self.settings.trees is None and self.settings.kept_code is None
        if (retention := self.project.retention) is not None and whole:
            of = self.store, self.project.name, retention, lambda: self._presence.id
            keeping = pruning.keep_pruning(*of)
            self._regularly.append(asyncio.create_task(keeping))

    async def _end(self) -> None:
        beating = asyncio.create_task(self._presence.keep_alive())
        for each in self._regularly:
            each.cancel()
        if self._regularly:  # one that was found gone says on its way out that it goes on
            await asyncio.wait(self._regularly)
        await self.schedule.close()
        await self.worker.close()
        beating.cancel()
        with suppress(StoreUnavailable):
            await recovery.count(self.worker)
            await self._presence.end()

    # --- who executes ---

    def _runs_here(self, job_id: str) -> bool:
        return job_id in self.worker.runs

    async def _others_gone(self, gone: Sequence[str]) -> None:
        facts = {"event": "worker.others_gone", "executors": list(gone)}
        _log.warning("gone without a word: %s; their jobs go on", ", ".join(gone), extra=facts)
        self.worker.background(recovery.recover(self.worker))
        self.worker.background(self.schedule.look())

    async def _keep_beating(self) -> None:
        told = self._others_gone, self._found_gone, self._heard_again
        await self._presence.keep_beating(*told)

    async def _heard_again(self) -> None:
        """It was too slow to act for a while, and begins now what it has not begun."""
        self.worker.background(recovery.sweep(self.worker))

    async def _found_gone(self) -> None:
        """Others took this process for dead: its runs are over, and it goes on as a new one."""
        facts = {"event": "worker.found_gone", "executor": self._presence.id}
        _log.error("this process was found to be gone, and begins anew", extra=facts)
        engine = self.worker.engine
        self.worker.closing = True
        try:
            await self.worker.end_all("deposed")
            await asyncio.to_thread(engine.stop)
            self.worker.admission.forget_started()
            while not await self._has_begun_anew(engine):  # noqa: ASYNC110
                await asyncio.sleep(_BEGIN_AGAIN)
        finally:
            self.worker.closing = False
        self.worker.background(recovery.recover(self.worker))

    async def _has_begun_anew(self, engine: Engine) -> bool:
        try:
            await self._presence.begin_anew()
            engine.launch(self.worker.execution.execute, executor_id=self._presence.id)
        except StoreUnavailable as error:
            # Half of it would be a process that is alive, as others see it, and executes nothing.
            facts = {"event": "worker.not_begun"}
            _log.warning("this process can't begin anew yet: %s", error, extra=facts)
            return False
        return True

    def on_text(self, listener: Callable[[TextDelta], object]) -> AbstractContextManager[None]:
        """Tell what genies say while they say it: `with app.on_text(show): …`.

        `listener` is called on the event loop of the caller, for each piece of text of each task
        that this process works on. While nobody listens, models are not asked to stream.
        """
        return self.worker.texts.heard_by(listener)

    def close(self) -> None:
        """End all runs and close; blocks for as long as running effects take, up to the grace.

        A server that does not answer gets some seconds more, and then is not waited for.
        """
        self._undo()
        for waiters in list(self._waiters.values()):
            for waiter in list(waiters):
                with suppress(InvalidStateError):
                    waiter.set_exception(
                        StoreUnavailable("The project was closed; the job goes on when it is open.")
                    )

    def _undo(self) -> None:
        """Let go of all that is open, the last first."""
        patience = threading.Timer(self.settings.grace + _PATIENCE, self._give_up)
        patience.start()
        try:
            self._stack.close()
        finally:
            patience.cancel()
            # Threads of the engine's may wait for its database yet, and the process for them.
            if self._engine is not None:
                self._engine.give_up()

    def _give_up(self) -> None:
        facts = {"event": "worker.gave_up"}
        _log.warning("the database does not answer, and this process closes without", extra=facts)
        self.store.give_up()
        if self._engine is not None:
            self._engine.give_up()

    @property
    def executor_id(self) -> str | None:
        """In whose charge the jobs are that are accepted here."""
        return self._presence.id

    async def take_on(self, job_ids: Iterable[str]) -> None:
        """Execute the trees of these jobs as well, where the settings name the trees."""
        rows = [await self.store.read(jobs.get, job_id) for job_id in job_ids]
        self._loop.call_soon(self.worker.admission.take_on, {row.root_id for row in rows})

    async def ended(self, job_id: str) -> jobs.EndedJob:
        """Wait until a job has ended; how it did. Raises JobNotFound."""
        waiter: Future[jobs.EndedJob] = Future()
        self._waiters.setdefault(job_id, set()).add(waiter)
        try:
            # In this order: who ends the job tells the waiters after it has crossed it off.
            if job_id not in self._not_ended:
                ended = await self.store.read(jobs.if_ended, job_id)
                if ended is not None:
                    return ended
            return await asyncio.wrap_future(waiter)
        finally:
            self._stop_waiting(job_id, waiter)

    async def _look_for_ends(self) -> None:
        """Hear of jobs that were accepted here, and that another process has ended."""
        while True:
            await asyncio.sleep(_LOOK_FOR_ENDS)
            awaited = [each for each in list(self._waiters) if each not in self.worker.runs]
            with suppress(StoreUnavailable):  # the next round says as much
                for start in range(0, len(awaited), _CHUNK):
                    some = awaited[start : start + _CHUNK]
                    for ended in await self.store.read(jobs.ended_among, some):
                        self._job_ended(ended)

    def _stop_waiting(self, job_id: str, waiter: Future[jobs.EndedJob]) -> None:
        waiting = self._waiters.get(job_id, set())
        waiting.discard(waiter)
        if not waiting:
            self._waiters.pop(job_id, None)

    def _job_ended(self, ended: jobs.EndedJob) -> None:
        self._not_ended.discard(ended.id)
        # Whoever waits is on a loop of their own, and may come, or give up, right now.
        for waiter in list(self._waiters.pop(ended.id, ())):
            with suppress(InvalidStateError):
                waiter.set_result(ended)

    async def fire(
        self,
        recipe: Recipe[..., Any] | str,
        *,
        trigger: str | None = None,
        by: str = "api",
    ) -> list[JobRef]:
        """Fire a recipe's trigger now, paused or not; the jobs that it starts.

        A Cron starts one, a Poll one for each item that is new. `trigger` names one of several,
        as `lampwork triggers` does. Raises RecipeNotFound, TriggerNotFound, PollFailed.
        """
        meant = self.project.find_recipe(recipe) if isinstance(recipe, str) else recipe
        started = await self._loop.call(self.schedule.fire(meant, trigger, by))
        act = Act("trigger.fire", meant.name, self.project.name, {"jobs": len(started)})
        await self.store.write(recorded(act, nothing))
        return list(map(JobRef, started))

    # --- what other processes wrote ---

    def _look(self, topics: frozenset[str] | None) -> None:
        """Another process has committed. On the jobs' loop; one look at a time."""
        self._unseen.append(topics)
        if self.worker.closing:  # nobody would await it: the loop may stop before it begins
            return
        if self._looking is None or self._looking.done():
            self._looking = self.worker.background(self._look_while_unseen())

    async def _look_while_unseen(self) -> None:
        while self._unseen and not self.worker.closing:
            unseen, self._unseen = self._unseen, []
            topics = None if None in unseen else frozenset[str]().union(*filter(None, unseen))
            self._seen = await recovery.look(self.worker, self._seen, topics)
            if topics is None or topics & {"triggers", "gone"}:
                await self.schedule.look()

    # --- what this process wrote ---

    def _accepting(self, job_id: str) -> None:
        # Not when it has been accepted: a sweep may have run it to its end by then.
        self._not_ended.add(job_id)

    def _refused(self, job_id: str) -> None:
        self._not_ended.discard(job_id)

    def _accepted(self, job_id: str) -> None:
        self._loop.call_soon(self.worker.admission.accepted, job_id)

    def _copied(self, job_id: str) -> None:
        self._loop.call_soon(self.worker.admission.copied, job_id)

    def _mended(self, job_id: str) -> None:
        self._loop.call_soon(lambda: self.worker.background(self.worker.waking.revive(job_id)))

    def _answered(self, deliveries: Iterable[Delivery]) -> None:
        self._loop.call_soon(self.worker.deliver, deliveries)

    def _scheduled(self) -> None:
        self._loop.call_soon(lambda: self.worker.background(self.schedule.look()))

    def _cancelled(self, job_ids: Iterable[str]) -> None:
        self._loop.call_soon(self.worker.end_cancelled, job_ids)


def _limits(project: Project) -> list[limits.Limit]:
    """What a project's code limits, of its genies and its recipes."""
    genies, recipes = project.genies.values(), project.recipes.values()
    return [
        *(
            limits.Limit("genie", each.name, each.max_concurrent_tasks)
            for each in genies
            if each.max_concurrent_tasks is not None
        ),
        *(
            limits.Limit("recipe", each.name, each.concurrency, each.ordered)
            for each in recipes
            if each.concurrency is not None
        ),
    ]


def _telemetry(service: str) -> Telemetry | None:
    """What sends spans and metrics. Raises ExtraMissing."""
    try:
        from lampwork.otel import set_up
    except ImportError as error:
        raise ExtraMissing(
            f"OpenTelemetry is asked for, and {error.name} is not installed. "
            'Type: pip install "lampwork[otel]"; or leave --otel and LAMPWORK_OTEL away.',
            extra="otel",
        ) from error
    return set_up(service)
