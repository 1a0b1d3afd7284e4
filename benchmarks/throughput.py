"""One system in this process: warm-up, then recipes one after another, then many at once.

`python -m benchmarks.throughput SYSTEM FOLDER URL SERIAL MANY AT_ONCE` prints one line of JSON;
URL is a Postgres database, or empty.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import cast

import psutil

from benchmarks import work
from benchmarks.systems import Opened, Place, System

WARM_UP = 20


@dataclass(frozen=True)
class Rate:
    per_second: float
    cpu_ms: float
    """Of all processes of the system but a Postgres server, all their threads, per recipe."""


@dataclass(frozen=True)
class Figures:
    serial: Rate
    at_once: Rate
    durability: str
    packages: dict[str, str]


async def measured(system: System, place: Place, serial: int, many: int, width: int) -> Figures:
    async with system.opened(place) as it:
        await rate(it, range(WARM_UP), 1)
        await rate(it, range(WARM_UP, 2 * WARM_UP), width)
        one_by_one = await rate(it, range(1_000, 1_000 + serial), 1)
        at_once = await rate(it, range(100_000, 100_000 + many), width)
        packages = {package: version(package) for package in system.PACKAGES}
        return Figures(one_by_one, at_once, it.durability, packages)


async def rate(it: Opened, numbers: range, width: int) -> Rate:
    """Run the recipes with `width` of them going at any time."""
    left = iter(numbers)

    async def lane() -> None:
        for number in left:
            work.verify(number, await it.run(number))

    began, cpu = time.perf_counter(), cpu_seconds(it)
    await asyncio.gather(*(lane() for _ in range(width)))
    seconds, cpu = time.perf_counter() - began, cpu_seconds(it) - cpu
    return Rate(len(numbers) / seconds, cpu / len(numbers) * 1000)


def cpu_seconds(it: Opened) -> float:
    """What this process and those beside it, with their children, have used."""
    used = time.process_time()
    for pid in it.processes:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            used += sum(each.cpu_times()[:2])
    return used


def main(name: str, folder: str, url: str, *counts: str) -> None:
    system = cast(System, importlib.import_module(f"benchmarks.systems.{name}"))
    place = Place(Path(folder), url or None)
    figures = asyncio.run(measured(system, place, *map(int, counts)))
    print(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main(*sys.argv[1:])
