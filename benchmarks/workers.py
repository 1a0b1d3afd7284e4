"""The recipe of `work.py` on Postgres, queued from outside, for one worker and for several."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median

from benchmarks import records, runs
from benchmarks.folder import until
from benchmarks.systems import Place
from benchmarks.systems.lampwork import project, recipe
from benchmarks.table import Table
from benchmarks.throughput import server_seconds
from lampwork.door import Door
from lampwork.store.store import Store

QUICK = ["--rounds", "1", "--many", "300"]

PATIENCE = 900.0
ENDED = "select ended_at from jobs where status = 'succeeded' order by ended_at"
SHARES = "select count(*) from jobs group by executor order by 1"
EDGE = 10
"""Hundredths of the jobs, first and last, that are not timed: then not all workers have work."""


@dataclass(frozen=True)
class Figures:
    per_second: float
    cpu_ms: float
    """Of the workers, per recipe."""
    server_ms: float
    shares: list[int]
    """Of the jobs."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--many", type=int, default=800, help="recipes")
    parser.add_argument("--room", type=int, default=50, help="of them at once in each worker")
    parser.add_argument("--rounds", type=int, default=3)


def main(options: argparse.Namespace) -> None:
    print(
        f"{options.many} recipes on Postgres, queued by another process; {options.room} at once "
        f"in each worker; {options.rounds} rounds.\n"
    )
    rounds: list[list[Figures]] = []
    with runs.places(["postgres"]) as places:
        for number in range(options.rounds):
            counts = options.workers if number % 2 == 0 else options.workers[::-1]
            figures: dict[int, Figures] = {}
            for count in counts:
                with places("postgres") as place:
                    figures[count] = asyncio.run(executed(place, count, options))
            rounds.append([figures[count] for count in options.workers])
    table = Table("workers", "recipes/s", "x", "CPU ms", "server ms", "jobs of each", width=8)
    for at, count in enumerate(options.workers):
        each, fewest = ([figures[which] for figures in rounds] for which in (at, 0))
        _print(table, count, each, fewest)
    print()


def _print(table: Table, workers: int, rounds: list[Figures], fewest: list[Figures]) -> None:
    rate, cpu, server = (
        median(getattr(figures, name) for figures in rounds)
        for name in ("per_second", "cpu_ms", "server_ms")
    )
    pairs = zip(rounds, fewest, strict=True)
    ratio = median(figures.per_second / base.per_second for figures, base in pairs)
    shares = " ".join(map(str, rounds[-1].shares))
    figures = (f"{rate:.1f}", f"{ratio:.2f}", f"{cpu:.1f}", f"{server:.1f}", shares)
    table.row(str(workers), *figures)


async def executed(place: Place, workers: int, options: argparse.Namespace) -> Figures:
    """All recipes, by so many workers, of which none begins before all are there."""
    with ExitStack() as stack:
        there = [stack.enter_context(_worker(place, options.room)) for _ in range(workers)]
        store = Store(records.settings(place).place)
        stack.callback(store.close)
        door = Door(project, store)
        server = server_seconds(place)
        numbers = iter(range(options.many))

        async def lane() -> None:
            for number in numbers:
                await door.start(recipe, number=number)

        await asyncio.gather(*(lane() for _ in range(20)))
        reached = lambda: len(records.rows(place, ENDED)) >= options.many  # noqa: E731
        await asyncio.to_thread(until, reached, "all jobs have ended", PATIENCE)
        server = server_seconds(place) - server
        used = sum(float(_closed(each)) for each in there)
    ended = [at for (at,) in records.rows(place, ENDED)]
    timed = ended[len(ended) * EDGE // 100 : len(ended) * (100 - EDGE) // 100]
    return Figures(
        per_second=(len(timed) - 1) / (timed[-1] - timed[0]),
        cpu_ms=used / options.many * 1000,
        server_ms=server / options.many * 1000,
        shares=[count for (count,) in records.rows(place, SHARES)],
    )


@contextmanager
def _worker(place: Place, room: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.working", *place.words, str(room)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=runs.ROOT, stdin=pipe, stdout=pipe, text=True)
    try:
        assert process.stdout
        if process.stdout.readline() != "open\n":
            raise runs.RunFailed("a worker did not come up; see above")
        yield process
    finally:
        process.kill()
        process.wait()


def _closed(process: subprocess.Popen[str]) -> str:
    """What it says as it leaves."""
    said, _ = process.communicate(timeout=PATIENCE)
    return said
