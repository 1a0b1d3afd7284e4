"""A process with many jobs in flight, and the one that goes on with them.

`python -m benchmarks.held PLACE… JOBS` starts jobs and stays until it is killed; `… PLACE…` goes on
with what is there, and leaves when all has ended. PLACE… are `Place.words`.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks import records
from benchmarks.folder import until
from benchmarks.held_project import project, settle
from benchmarks.systems import Place
from benchmarks.waiting import PATIENCE

OPEN = "select count(*) from jobs where ended_at is null"


async def hold(place: Place, jobs: int) -> None:
    async with project.open(settings=records.settings(place)) as app:
        numbers = iter(range(jobs))

        async def lane() -> None:
            for number in numbers:
                await app.start(settle, number=number)

        await asyncio.gather(*(lane() for _ in range(50)))
        await asyncio.Event().wait()


async def go_on(place: Place) -> None:
    def reached() -> bool:
        return records.number(place, OPEN) == 0

    async with project.open(settings=records.settings(place)):
        await asyncio.to_thread(until, reached, "all jobs have ended", PATIENCE)


def main(folder: str, url: str, server: str, *jobs: str) -> None:
    place = Place.read(folder, url, server)
    asyncio.run(hold(place, int(jobs[0])) if jobs else go_on(place))


if __name__ == "__main__":
    main(*sys.argv[1:])
