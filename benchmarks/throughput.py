"""One system in this process: warm-up, then recipes one after another, then many at once.

`python -m benchmarks.throughput SYSTEM PLACE… SERIAL MANY AT_ONCE` prints one line of JSON; PLACE…
are `Place.words`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import cast

from benchmarks import work
from benchmarks.systems import Opened, Place, System

WARM_UP = 20


@dataclass(frozen=True)
class Rate:
    per_second: float
    cpu_ms: float
    """Of all processes of the system but a Postgres server, all their threads, per recipe."""
    server_ms: float
    """Of the Postgres server."""


@dataclass(frozen=True)
class Figures:
    serial: Rate
    at_once: Rate
    durability: str
    packages: dict[str, str]


async def measured(system: System, place: Place, serial: int, many: int, width: int) -> Figures:
    async with system.opened(place) as it:
        await rate(it, place, range(WARM_UP), 1)
        await rate(it, place, range(WARM_UP, 2 * WARM_UP), width)
        one_by_one = await rate(it, place, range(1_000, 1_000 + serial), 1)
        at_once = await rate(it, place, range(100_000, 100_000 + many), width)
        packages = {package: version(package) for package in system.PACKAGES}
        return Figures(one_by_one, at_once, it.durability, packages)


async def rate(it: Opened, place: Place, numbers: range, width: int) -> Rate:
    """Run the recipes with `width` of them going at any time."""
    left = iter(numbers)

    async def lane() -> None:
        for number in left:
            work.verify(number, await it.run(number))

    began, cpu, server = time.perf_counter(), own_seconds(it), server_seconds(place)
    await asyncio.gather(*(lane() for _ in range(width)))
    seconds = time.perf_counter() - began
    cpu, server = own_seconds(it) - cpu, server_seconds(place) - server
    each = 1000 / len(numbers)
    return Rate(len(numbers) / seconds, cpu * each, server * each)


def own_seconds(it: Opened) -> float:
    """What this process and those beside it have used."""
    return time.process_time() + sum(map(seconds_of, it.processes))


def server_seconds(place: Place) -> float:
    return seconds_of(place.server) if place.server else 0.0


def seconds_of(pid: int) -> float:
    """What a process has used, with those that it has started, over or not."""
    import psutil  # comes with the peers; the tests run without them

    process = psutil.Process(pid)
    used = 0.0
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # its parent has its seconds now
            used += sum(child.cpu_times()[:2])
    return used + sum(process.cpu_times()[:4])


def main(name: str, *words: str) -> None:
    system = cast(System, importlib.import_module(f"benchmarks.systems.{name}"))
    figures = asyncio.run(measured(system, Place.read(*words[:3]), *map(int, words[3:])))
    print(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main(*sys.argv[1:])
