"""One system in this process: warm-up, then recipes one after another, then many at once.

`python -m benchmarks.throughput SYSTEM FOLDER SERIAL MANY AT_ONCE` prints one line of JSON.
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

from benchmarks import work
from benchmarks.systems import Opened, System

WARM_UP = 20


@dataclass(frozen=True)
class Rate:
    per_second: float
    cpu_ms: float
    """Of the whole process, all its threads, per recipe."""


@dataclass(frozen=True)
class Figures:
    serial: Rate
    at_once: Rate
    durability: str
    packages: dict[str, str]


async def measured(system: System, folder: Path, serial: int, many: int, width: int) -> Figures:
    async with system.opened(folder) as it:
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

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(lane() for _ in range(width)))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Rate(len(numbers) / seconds, cpu / len(numbers) * 1000)


def main(name: str, folder: str, *counts: str) -> None:
    system = cast(System, importlib.import_module(f"benchmarks.systems.{name}"))
    figures = asyncio.run(measured(system, Path(folder), *map(int, counts)))
    print(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main(*sys.argv[1:])
