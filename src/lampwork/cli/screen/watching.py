"""What is shown while a job is waited for: a live tree on a terminal, else only what is needed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lampwork.cli import output
from lampwork.cli.executing import Executing
from lampwork.cli.options import Options
from lampwork.cli.screen import live, tree
from lampwork.cli.source import Watched
from lampwork.cli.working import executor_lacking
from lampwork.views import JobView, WaitingOn

if TYPE_CHECKING:
    from rich.tree import Tree

Say = Callable[[str], None]

_EVERY = 0.2
"""Seconds between two pictures of the tree."""

_REST = 4
"""Times as long as a picture took to make nothing is done, where that is longer."""

_BESIDE = 4
"""Lines of a terminal that are left for what comes of the job."""

_LOOK_EVERY = 1.0
"""Seconds between two looks when there is no tree."""

_NOTES = 4
"""Things that people are told about at once."""


@dataclass(slots=True)
class Watch:
    """Watches one job."""

    source: Watched
    job_id: str
    options: Options
    executing: Executing | None
    """Whether this process executes the job; None if it never will."""
    worker: str | None
    """How to start a worker, if one can from here."""
    news: Callable[[float], Awaitable[object]] = asyncio.sleep
    """Waits, for so many seconds at least, until something may have changed."""
    _told: set[str] = field(default_factory=set[str])

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Show the job while the block waits."""
        draws = output.on_terminal() and not output.is_dumb() and not self.options.as_json
        showing = asyncio.create_task(self._draw() if draws else self._say())
        try:
            yield
        finally:
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing

    async def _draw(self) -> None:
        from rich.live import Live
        from rich.text import Text

        with Live(auto_refresh=False, vertical_overflow="ellipsis") as screen:

            def say(note: str) -> None:
                # Not in the tree, where a long line would be broken: a terminal pastes it whole.
                text = Text(output.clean(note), "yellow")
                screen.console.print(text, soft_wrap=True, highlight=False)

            try:
                while True:
                    began = time.monotonic()
                    screen.update(await self._picture(say, screen.console.height), refresh=True)
                    await self.news(max(_EVERY, _REST * (time.monotonic() - began)))
            finally:
                screen.update(await self._picture(say, screen.console.height), refresh=True)

    async def _picture(self, say: Say, height: int) -> Tree:
        job = await self.source.tree(self.job_id)
        await self._tell(job, say)
        line = live.Picture(self.job_id, self._executing).of(job)
        return live.drawn(live.fitted(line, height - _BESIDE))

    def _executing(self, job_id: str) -> list[str]:
        """The calls that execute here and are on no record before they end."""
        app = None if self.executing is None else self.executing.app
        run = None if app is None else app.worker.runs.get(job_id)
        return [] if run is None else run.executing()

    async def _say(self) -> None:
        output.warn(f"Job {self.job_id} is on disk: {self.options.to_type('job', self.job_id)}")
        while True:
            await self.news(_LOOK_EVERY)
            await self._tell(await self.source.view(self.job_id), output.warn)

    async def _tell(self, job: JobView, say: Say) -> None:
        """Say, once each, what a person has to do before the job can go on."""
        notes = self._notes(job.waiting_on)
        here = self.executing is not None and self.executing.app is not None
        if not here and job.ended_at is None:
            executor = await self.source.executing(job.project)
            lacking = executor_lacking(executor, job.project, self.worker)
            # Where nobody executes, or only what is not this, this process takes over.
            taken_over = self.executing is not None and (executor is None or executor.limited)
            if lacking is not None and not taken_over:
                notes.insert(0, lacking)
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                say(note)

    def _notes(self, waits: tuple[WaitingOn, ...]) -> list[str]:
        """What a person can do about what is waited for."""
        notes = [
            "\n  ".join([f"Job {job_id} waits: {wait.what}", *remedies])
            for job_id, wait in tree.each_wait(self.job_id, waits)
            if (remedies := tree.remedies(self.options, job_id, wait))
        ]
        return notes[:_NOTES]
