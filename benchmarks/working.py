"""A worker that executes the recipe's jobs for as long as its input is open.

`python -m benchmarks.working PLACE… ROOM` says when it is open, and in the end the seconds on a
processor that it has used; PLACE… are `Place.words`.
"""

from __future__ import annotations

import asyncio
import sys
import time

from benchmarks import records
from benchmarks.systems import Place
from benchmarks.systems.lampwork import project


async def main(folder: str, url: str, server: str, room: str) -> None:
    settings = records.settings(Place.read(folder, url, server), max_live=int(room))
    async with project.open(settings=settings):
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(time.process_time(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
