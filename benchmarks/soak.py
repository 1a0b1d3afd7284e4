"""The mixed load of `chaos` for an hour without faults, with retention on: nothing may drift.

Jobs are started at a steady pace, and deleted some minutes after their end. Memory of the workers,
rows of the tables and the 95th percentile of a job's time are measured in twenty windows of equal
length; the second quarter of them is compared with the last.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import runs
from benchmarks.mixed import ground as grounds
from benchmarks.mixed.crew import Crew
from benchmarks.mixed.faults import Birth
from benchmarks.mixed.ground import Ground
from benchmarks.mixed.processes import service

QUICK = ["--minutes", "2"]

WINDOWS = 20
TIMED = "errand"
"""The recipe whose jobs are timed."""

DRIFTS = {"memory MB": 1.1, "rows": 1.1, "p95 s": 1.5}
"""By what a figure of the last quarter may exceed the second quarter's."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--workers", type=int, default=None, help="on Postgres; 2")
    parser.add_argument("--pace", type=float, default=0.25, help="seconds between two jobs")


@dataclass(frozen=True)
class Window:
    """What was measured at the end of one."""

    ended: int
    """Jobs that have ended in it."""
    figures: dict[str, float]
    tables: dict[str, int]

    def __str__(self) -> str:
        figures = "  ".join(f"{what} {value:8.2f}" for what, value in self.figures.items())
        largest = sorted(self.tables.items(), key=lambda each: -each[1])[:4]
        return f"{self.ended:6} jobs  {figures}  {', '.join(f'{n} {t}' for t, n in largest)}"


def main(options: argparse.Namespace) -> None:
    workers = 1 if options.db == "sqlite" else options.workers or 2
    seconds = options.minutes * 60 / WINDOWS
    load = {"pace": options.pace * (workers + 1), "retention": max(60.0, seconds)}
    with (
        runs.fresh_folder() as place,
        grounds.made(options.db, place) as ground,
        service(options.seed) as url,
    ):
        crew = Crew(ground, url, place, workers, lambda _: Birth({}, ""), load=load)
        try:
            windows = _measured(crew, seconds)
            crew.become_quiet()
            crew.rest()
            broken = [each for each in crew.judged(deleted=True) if each.broken]
        finally:
            crew.close()
    drifts = _drifts(windows)
    for line in [*map(str, broken), *drifts]:
        print(line)
    if broken or any("DRIFTS" in line for line in drifts):
        sys.exit(1)
    print("\nNothing drifts.\n")


def _measured(crew: Crew, seconds: float) -> list[Window]:
    windows: list[Window] = []
    end = time.monotonic()
    for _ in range(WINDOWS):
        since, end = time.time(), end + seconds
        crew.tend(end)
        windows.append(_window(crew.ground, crew.pids(), since))
        print(f"  {windows[-1]}", flush=True)
    return windows


def _window(ground: Ground, pids: list[int], since: float) -> Window:
    times = [
        took
        for (took,) in ground.rows(
            "select ended_at - created_at from jobs "
            f"where callable = '{TIMED}' and ended_at > {since} and parent_id is null"
        )
    ]
    ended = ground.rows(f"select count(*) from jobs where ended_at > {since}")[0][0]
    tables = ground.sizes()
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else 0.0
    figures = {"memory MB": sum(map(_resident, pids)) / 1e6, "rows": float(sum(tables.values()))}
    return Window(ended, figures | {"p95 s": p95}, tables)


def _resident(pid: int) -> int:
    """Bytes in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) * 1024


def _drifts(windows: list[Window]) -> list[str]:
    quarter = WINDOWS // 4
    lines: list[str] = []
    for what, most in DRIFTS.items():
        second, last = (
            statistics.mean(each.figures[what] for each in part)
            for part in (windows[quarter : 2 * quarter], windows[-quarter:])
        )
        drifts = "DRIFTS" if last > second * most else "steady"
        lines.append(
            f"  {what:10} {second:10.2f} in the second quarter {last:10.2f} in the last  {drifts}"
        )
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    add_options(parser)
    main(parser.parse_args())
