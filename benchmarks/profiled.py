"""A process that runs recipes while it is looked at.

`python -m benchmarks.profiled PLACE… MANY WIDTH` warms up, says its id, runs when it gets a
line, prints `Figures` as JSON, and leaves with the end of its input.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from benchmarks.layers import Part, part
from benchmarks.systems import Place, lampwork
from benchmarks.throughput import WARM_UP, rate

ANYBODY = (0x59616D61, -1)
"""For `prctl`: who may look. Without it only a parent may, or root."""

DRIVER_CALLS = ("do_execute", "do_executemany", "do_commit", "do_rollback")


@dataclass(frozen=True)
class Figures:
    """Milliseconds on a processor, per recipe."""

    cpu_ms: float
    threads: dict[int, float]
    """Of it, the threads' by their ids in the system."""
    drivers: list[tuple[int, Part, float]]
    """Of it, what a thread spent in the database's driver, and for whom."""


async def main(folder: str, url: str, server: str, many: str, width: str) -> None:
    place = Place.read(folder, url, server)
    async with lampwork.opened(place) as it:
        await rate(it, place, range(10 * WARM_UP), int(width))
        ctypes.CDLL(None).prctl(*ANYBODY, 0, 0, 0)
        print(os.getpid(), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        before, driver = thread_ms(), watched_driver()
        measured = await rate(it, place, range(100_000, 100_000 + int(many)), int(width))
        threads = {tid: (ms - before.get(tid, 0)) / int(many) for tid, ms in thread_ms().items()}
        drivers = [(tid, where, ms / int(many)) for (tid, where), ms in driver.items()]
        print(json.dumps(asdict(Figures(measured.cpu_ms, threads, drivers))), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def watched_driver() -> dict[tuple[int, Part], float]:
    """Counts milliseconds in the calls by which SQLAlchemy has the driver do something.

    They are not to be had from a sampler that looks at who holds the interpreter: a driver lets
    it go.
    """
    spent: defaultdict[tuple[int, Part], float] = defaultdict(float)

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return call(*arguments, **named)
            finally:
                took = (time.thread_time() - began) * 1000
                spent[threading.get_native_id(), part(_frames())] += took

        return timed

    for name in DRIVER_CALLS:
        setattr(DefaultDialect, name, watched(getattr(DefaultDialect, name)))
    return spent


def _frames() -> Iterator[tuple[str, str]]:
    """Of who called the driver."""
    frame = sys._getframe(3)
    while frame is not None:
        yield frame.f_code.co_name, frame.f_code.co_filename
        frame = frame.f_back


def thread_ms() -> dict[int, float]:
    """Milliseconds on a processor, by thread."""
    return {
        int(task.name): int((task / "schedstat").read_text().split()[0]) / 1e6
        for task in Path("/proc/self/task").iterdir()
    }


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
