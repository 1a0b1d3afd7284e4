"""One recipe that fans out, in this process, after a small one that warms it up.

`python -m benchmarks.fan SYSTEM PLACE… TASKS` prints the seconds; PLACE… are `Place.words`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time

from benchmarks.systems import Place

WARM_UP = 3


async def seconds(name: str, place: Place, tasks: int) -> float:
    system = importlib.import_module(f"benchmarks.systems.{name}_fan")
    async with system.opened(place) as fan:
        await fan(WARM_UP)
        began = time.perf_counter()
        answers = await fan(tasks)
        took = time.perf_counter() - began
    if answers != tasks * ["done"]:
        raise AssertionError(f"{name} gave {answers!r}")
    return took


def main(name: str, folder: str, url: str, server: str, tasks: str) -> None:
    print(json.dumps(asyncio.run(seconds(name, Place.read(folder, url, server), int(tasks)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
