"""One recipe that fans out, in this process, after a small one that warms it up.

`python -m benchmarks.fan SYSTEM PLACE… TASKS` prints its figures; PLACE… are `Place.words`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time

from benchmarks.systems import Place

WARM_UP = 3


async def figures(name: str, place: Place, tasks: int) -> dict[str, float]:
    system = importlib.import_module(f"benchmarks.systems.{name}_fan")
    async with system.opened(place) as fan:
        await fan(WARM_UP)
        began, used = time.perf_counter(), time.process_time()
        answers = await fan(tasks)
        found = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}
    if answers != tasks * ["done"]:
        raise AssertionError(f"{name} gave {answers!r}")
    return found


def main(name: str, folder: str, url: str, server: str, tasks: str) -> None:
    print(json.dumps(asyncio.run(figures(name, Place.read(folder, url, server), int(tasks)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
