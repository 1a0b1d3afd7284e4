"""Work that a verb starts: queued for a worker, or waited for, here or where a worker executes."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from lampwork.app import App
from lampwork.cli import output
from lampwork.cli.executing import Executing, quieten
from lampwork.cli.options import Options
from lampwork.cli.screen.watching import Watch
from lampwork.cli.stopping import INTERRUPTED, stop_signals
from lampwork.cli.working import executor_lacking
from lampwork.door import Door
from lampwork.genies.cast import Cast
from lampwork.insights import Insights
from lampwork.project import Project
from lampwork.types import JobRef, Json
from lampwork.views import Executor, JobDetails, JobTree, to_json

Start = Callable[[Door], Awaitable[JobRef]]

_TASK_FIELDS = (
    "response",
    "task_id",
    "conversation_id",
    "metadata",
    "usage",
    "actions",
    "proof",
    "artifacts",
)


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
            job = await start(self.door(insights))
            if not wait:
                await self.say_queued(insights, job.job_id)
                return 0
            with stop_signals() as stopped:
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
                return self.say_ended(await insights.job(job_id))
            ended.cancel()
            executing_here = executing.app is not None
            if executing_here:
                grace = f"{self.options.settings.grace:g} s"
                output.warn(f"Closing: what executes gets up to {grace}. Ctrl-C again: at once.")
        job = await insights.job(job_id)
        if job.ended_at is not None:  # within the grace
            return self.say_ended(job)
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

    def say_ended(self, job: JobDetails) -> int:
        for line in _in_vain(job):
            output.warn(line)
        if self.options.as_json:
            output.say_json(summary(job))
        elif job.status == "succeeded":
            took = output.span(job.started_at or job.created_at, job.ended_at)
            output.say(f"Job {job.job_id} succeeded in {took}.{_used(job)}")
            output.say(output.pretty(summary(job)["output"]))
        else:
            why = "" if job.error is None else f": {job.error.message}"
            output.warn(f"Error: job {job.job_id} {job.status}{why}")
            if job.usage:
                output.warn(_used(job).strip())
            output.warn(f"All of it: {self.options.to_type('job', job.job_id)}")
        return 0 if job.status == "succeeded" else 1


def _in_vain(job: JobTree) -> Iterator[str]:
    """What its tasks, and those below it, did not get or asked for in vain."""
    for call in job.calls:
        if (task := call.task) is not None:
            yield from (f"withheld: {skill} ({why})" for skill, why in task.withheld.items())
            yield from (f"not run: {each.skill}: {each.reply}" for each in task.refused)
        for child in call.jobs:
            yield from _in_vain(child)


def _used(job: JobDetails) -> str:
    return f" It used {output.used(job.usage)}." if job.usage else ""


def summary(job: JobDetails) -> dict[str, Json]:
    """What came of a job, for programs; of one that carries a task, its answer beside."""
    shown: dict[str, Json] = {
        "job_id": job.job_id,
        "status": job.status,
        "output": job.output,
        "error": to_json(job.error),
        "recipe": job.recipe,
        "created_at": to_json(job.created_at),
        "started_at": to_json(job.started_at),
        "ended_at": to_json(job.ended_at),
        "usage": job.usage,
    }
    if job.carries_task and job.status == "succeeded":
        answer: dict[str, Json] = job.output
        shown["output"] = answer["output"]
        shown |= {name: answer[name] for name in _TASK_FIELDS}
    return shown
