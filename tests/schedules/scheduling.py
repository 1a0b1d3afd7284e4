"""Triggers at a clock that a test sets: what has fired, and what has started."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.support import eventually, inside, opened, rows

from lampwork import App, Project
from lampwork import clock as clocks

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


@dataclass
class Clock(clocks.Clock):
    """In hours after noon."""

    hours: float = 0.0

    def now(self) -> float:
        return NOON + self.hours * HOUR


@asynccontextmanager
async def executing(project: Project, home: Path, clock: Clock) -> AsyncIterator[App]:
    """The project, executing by this clock, after its first look."""
    with clocks.using(clock):
        async with opened(project, home) as app:
            await inside(app, app.schedule.begin())
            await polled(app)
            yield app


async def look(app: App) -> None:
    """Look at the triggers once, and wait until what they poll for is there."""
    await inside(app, app.schedule.look())
    await polled(app)


async def polled(app: App) -> None:
    await eventually(lambda: not app.schedule._polls, "a poll did not end")


async def at(app: App, clock: Clock, hours: float) -> list[float]:
    """Look at that time; the times for which there are jobs now, in hours."""
    clock.hours = hours
    await look(app)
    return await fired(app)


async def fired(app: App) -> list[float]:
    found = await rows(
        app,
        "select json_extract(\"trigger\", '$.scheduled_at') from jobs "
        "where json_extract(\"trigger\", '$.kind') = 'cron' order by id",
    )
    return [(datetime.fromisoformat(each).timestamp() - NOON) / HOUR for (each,) in found]


async def started(app: App) -> list[str]:
    """The keys of items for which there are jobs, in the order of their jobs."""
    found = await rows(app, "select json_extract(\"trigger\", '$.key') from jobs order by id")
    return [key for (key,) in found]
