"""Many jobs that wait, in this process.

`python -m benchmarks.waiting fill PLACE… JOBS` starts them and leaves when all are parked;
`… open PLACE… SECONDS` opens the project and weighs an idle process;
`… wake PLACE… hot|parked SAMPLES` sends events, one after another. Each prints one line of JSON;
PLACE… are `Place.words`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from benchmarks import folder, records
from benchmarks.systems import Place
from benchmarks.waiting_project import project, wait_for_go, went_on
from lampwork import App

PATIENCE = 3600.0
PARK_SOON = 1.0
"""Seconds, where it is not the point to wait for it."""
PARKED = "select count(*) from jobs where want = 'parked'"
WAITS = "select count(*) from waits where not answered"


async def fill(place: Place, jobs: int) -> dict[str, Any]:
    began = time.perf_counter()
    async with project.open(settings=records.settings(place, park_after=PARK_SOON)) as app:
        await start(app, jobs)
        started = time.perf_counter()
        await parked(place, jobs)
    return {
        "started_per_second": jobs / (started - began),
        "all_parked_s": time.perf_counter() - started,
    }


async def start(app: App, jobs: int, width: int = 50) -> list[str]:
    numbers = iter(range(jobs))

    async def lane() -> list[str]:
        return [(await app.start(wait_for_go, number=number)).job_id for number in numbers]

    lanes = await asyncio.gather(*(lane() for _ in range(width)))
    return [job_id for lane in lanes for job_id in lane]


async def parked(place: Place, jobs: int) -> None:
    def reached() -> bool:
        return records.number(place, PARKED) >= jobs

    await asyncio.to_thread(folder.until, reached, f"{jobs} jobs parked", PATIENCE)


async def weigh(place: Place, seconds: float) -> dict[str, Any]:
    import psutil  # comes with the peers; the tests run without them

    process = psutil.Process()
    began = time.perf_counter()
    async with project.open(settings=records.settings(place)):
        ready = time.perf_counter() - began
        await asyncio.sleep(2)  # what start-up still has to do is not idleness
        cpu = time.process_time()
        await asyncio.sleep(seconds)
        cpu = time.process_time() - cpu
        memory = process.memory_info().rss
    return {"ready_s": ready, "idle_percent": cpu / seconds * 100, "rss_mb": memory / 1e6}


async def wake(place: Place, kind: str, samples: int) -> list[float]:
    """Milliseconds from before `send_event` to the line after `wait_for`."""
    given = {"park_after": PARK_SOON} if kind == "parked" else {}
    async with project.open(settings=records.settings(place, **given)) as app:
        job_ids = await start(app, samples)
        if kind == "parked":
            await parked(place, samples)
        else:
            waiting = lambda: records.number(place, WAITS) >= samples  # noqa: E731
            await asyncio.to_thread(folder.until, waiting, "all jobs wait", PATIENCE)
        return [await woken(app, job_id) for job_id in job_ids]


async def woken(app: App, job_id: str) -> float:
    began = time.perf_counter()
    await app.send_event(job_id, "go", 1)
    return (await asyncio.to_thread(went_on.get, timeout=30) - began) * 1000


def main(verb: str, folder: str, url: str, server: str, *rest: str) -> None:
    place = Place.read(folder, url, server)
    match verb, rest:
        case "fill", [jobs]:
            result: Any = asyncio.run(fill(place, int(jobs)))
        case "open", [seconds]:
            result = asyncio.run(weigh(place, float(seconds)))
        case "wake", [kind, samples]:
            result = asyncio.run(wake(place, kind, int(samples)))
        case _:
            sys.exit(__doc__)
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
