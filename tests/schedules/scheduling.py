"""Triggers at a clock that a test sets: what has fired, and what has started."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.support import eventually, inside, looked, opened, rows

from lampwork import App, Project
from lampwork import clock as clocks
from lampwork.store import schema

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


@dataclass
class Clock(clocks.Clock):
    """In hours after noon."""

    hours: float = 0.0

    def now(self) -> float:
        return NOON + self.hours * HOUR


@asynccontextmanager
async def executing(
    project: Project, home: Path, clock: Clock, *, hears: bool = False
) -> AsyncIterator[App]:
    """The project, executing by this clock, after its first look.

    Unless it hears what others tell it looks when the test does, and at no other time.
    """
    with clocks.using(clock):
        async with opened(project, home) as app:
            if not hears:
                app._look = lambda _topics: None  # type: ignore[method-assign]
                await inside(app, looked(app))
            await inside(app, app.schedule.begin())
            await polled(app)
            yield app


async def look(app: App) -> None:
    """Look at the triggers once, and wait until what they poll for is there."""
    await inside(app, app.schedule.look())
    await polled(app)


async def polled(app: App) -> None:
    """Wait until polls have ended, and the looks that their ends ask for."""

    async def rests() -> bool:  # on the jobs' event loop: a poll's end is no moment between two
        return not app.schedule._polls and not app.worker._background

    await eventually(lambda: inside(app, rests()), "a poll did not end")


async def at(app: App, clock: Clock, hours: float) -> list[float]:
    """Look at that time; the times for which there are jobs now, in hours."""
    clock.hours = hours
    await look(app)
    return await fired(app)


async def fired(app: App) -> list[float]:
    times = [by["scheduled_at"] for by in await triggered(app) if by["kind"] == "cron"]
    return [(datetime.fromisoformat(each).timestamp() - NOON) / HOUR for each in times]


async def started(app: App) -> list[str]:
    """The keys of items for which there are jobs, in the order of their jobs."""
    return [by.get("key") for by in await triggered(app)]


async def triggered(app: App) -> list[dict[str, Any]]:
    """What has started each job, in their order."""
    found = await rows(app, sa.select(schema.jobs.c.trigger).order_by(schema.jobs.c.id))
    return [by for (by,) in found]
