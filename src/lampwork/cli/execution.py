"""Work that a verb starts: queued for a worker, or waited for, here or where a worker executes."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from lampwork.app import App
from lampwork.cli import output
from lampwork.cli.ended import say_ended, summary
from lampwork.cli.executing import Executing, quieten
from lampwork.cli.options import Options
from lampwork.cli.screen.watching import Watch
from lampwork.cli.stopping import INTERRUPTED, stop_signals
from lampwork.cli.working import executor_lacking
from lampwork.door import Door
from lampwork.genies.cast import Cast
from lampwork.insights import Insights
from lampwork.project import Project
from lampwork.types import JobRef
from lampwork.views import Executor

Start = Callable[[Door], Awaitable[JobRef]]


def carry_out(
    project: Project, project_word: str | None, options: Options, start: Start, *, wait: bool
) -> int:
    """Queue the work that `start` describes and, if asked to, see it through; the exit code."""
    return asyncio.run(_Work(project, project_word, options).carry_out(start, wait=wait))


@dataclass(frozen=True, slots=True)
class _Work:
    project: Project
    project_word: str | None
    options: Options

    async def carry_out(self, start: Start, *, wait: bool) -> int:
        async with Insights.opened(self.options.settings.place) as insights:
            if not wait:
                job = await start(self.door(insights))
                await self.say_queued(insights, job.job_id)
                return 0
            with stop_signals() as stopped:  # already: from the start on it may be executed
                job = await start(self.door(insights))
                return await self.see_through(insights, job.job_id, stopped)

    def door(self, insights: Insights) -> Door:
        return Door(self.project, insights.store, cast=Cast(self.options.settings.model))

    async def say_queued(self, insights: Insights, job_id: str) -> None:
        job = await insights.job(job_id)
        if self.options.as_json:
            output.say_json(summary(job))
            return
        output.say(f"Queued job {job_id}.")
        executor = await insights.executing(self.project.name)
        if executor is None:
            output.say(f"A worker executes it: {self.worker()}")
        else:
            lacking = executor_lacking(executor, job.project, self.worker())
            by = f"Process {executor.pid} executes it."
            if self.options.settings.db is not None:
                by = f"A worker is there to execute it: {self.options.to_type('workers')}"
            output.say(lacking or by)
        output.say(f"Look at it: {self.options.to_type('job', job_id)}")

    def worker(self) -> str:
        named = [self.project_word] if self.project_word is not None else []
        return self.options.to_type("worker", *named)

    async def see_through(self, insights: Insights, job_id: str, stopped: asyncio.Event) -> int:
        """Execute here unless another process does; wait, show, and print what came of it."""
        executing_here = False
        async with AsyncExitStack() as stack:
            settings = replace(self.options.settings, trees=frozenset([job_id]))
            opened = functools.partial(App.opened, self.project, settings)
            executing = Executing(settings.place, opened, stack)
            if not await executing.take():
                await self.say_waiting(insights, job_id)
            quieten()
            door = executing.app or self.door(insights)
            watch = Watch(insights, job_id, self.options, executing, self.worker())
            ended = asyncio.create_task(door.ended(job_id))
            stopping = asyncio.create_task(stopped.wait())
            async with executing.taking_over(), watch.watching():
                await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if ended.done():
                ended.result()
                return say_ended(await insights.job(job_id), self.options)
            ended.cancel()
            executing_here = executing.app is not None
            if executing_here:
                grace = f"{self.options.settings.grace:g} s"
                output.warn(f"Closing: what executes gets up to {grace}. Ctrl-C again: at once.")
        job = await insights.job(job_id)
        if job.ended_at is not None:  # within the grace
            return say_ended(job, self.options)
        elsewhere = None if executing_here else await insights.executing(self.project.name)
        self.say_interrupted(job_id, elsewhere)
        return INTERRUPTED

    async def say_waiting(self, insights: Insights, job_id: str) -> None:
        """What is waited for where the process that executes does not execute this."""
        executor = await insights.executing(self.project.name)
        if executor is not None and executor.limited:
            output.warn(
                f"Process {executor.pid} executes what it was started for. Job {job_id} is "
                "kept, and begins when that has ended."
            )

    def say_interrupted(self, job_id: str, elsewhere: Executor | None) -> None:
        lacking = executor_lacking(elsewhere, self.project.name, self.worker())
        if elsewhere is not None and lacking is None:
            output.warn(f"Job {job_id} goes on in process {elsewhere.pid}, which executes it.")
        else:
            output.warn(f"Job {job_id} is kept, and goes on with a worker: {self.worker()}")
        output.warn(f"Look at it: {self.options.to_type('job', job_id)}")
