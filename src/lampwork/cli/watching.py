"""What is shown while a job is waited for: a live tree on a terminal, else only what is needed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lampwork.app import App
from lampwork.cli import output, tree
from lampwork.cli.options import Options
from lampwork.insights import Insights, WaitingOn

if TYPE_CHECKING:
    from rich.tree import Tree

_EVERY = 0.2
"""Seconds between two pictures of the tree."""

_LOOK_EVERY = 1.0
"""Seconds between two looks when there is no tree."""

_NOTES = 4
"""Things that people are told about at once."""


@dataclass(slots=True)
class Watch:
    """Watches one job."""

    insights: Insights
    job_id: str
    options: Options
    app: App | None
    """If this process executes the job."""
    worker: str
    """How to start a worker."""
    _told: set[str] = field(default_factory=set[str])

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Show the job while the block waits."""
        live = output.on_terminal() and not self.options.as_json
        showing = asyncio.create_task(self._draw() if live else self._tell())
        try:
            yield
        finally:
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing

    async def _draw(self) -> None:
        from rich.live import Live

        with Live(auto_refresh=False, vertical_overflow="ellipsis") as live:
            try:
                while True:
                    live.update(await self._picture(), refresh=True)
                    await asyncio.sleep(_EVERY)
            finally:
                live.update(await self._picture(), refresh=True)

    async def _picture(self) -> Tree:
        job = await self.insights.tree(self.job_id)
        return tree.rich_tree(
            tree.of_job(job, self._executing, in_full=False), self._notes(job.waiting_on)
        )

    def _executing(self, job_id: str) -> list[str]:
        """The calls that execute here and are on no record before they end."""
        run = None if self.app is None else self.app.worker.runs.get(job_id)
        return [] if run is None else run.executing()

    async def _tell(self) -> None:
        """Say, once each, what a person has to do before the job can go on."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            job = await self.insights.view(self.job_id)
            if self.app is None and await self.insights.executing() is None:
                self._tell_once(f"No process executes the jobs now. Start one: {self.worker}")
            for note in self._notes(job.waiting_on):
                self._tell_once(note)

    def _tell_once(self, note: str) -> None:
        if note not in self._told:
            self._told.add(note)
            output.warn(note)

    def _notes(self, waits: tuple[WaitingOn, ...]) -> list[str]:
        """What a person can do about what is waited for."""
        notes = [
            f"Job {job_id} waits: {wait.what}\n  {remedy}"
            for job_id, wait in tree.each_wait(self.job_id, waits)
            if (remedy := tree.remedy(self.options, job_id, wait))
        ]
        return notes[:_NOTES]
