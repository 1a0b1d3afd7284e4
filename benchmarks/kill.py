"""SIGKILL with many jobs in the middle of a keyed skill call: how soon they go on, and all of them.

Each job is a step, a task whose skill call is under way, a step. The time counts from the start
of the next process, its imports included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import folder, records, runs
from benchmarks.held_project import EFFECTS, HOLD
from benchmarks.systems import Place
from benchmarks.table import Table

QUICK = ["--jobs", "300"]

PATIENCE = 600.0
SUCCEEDED = "select count(*) from jobs where status = 'succeeded'"


@dataclass(frozen=True)
class Figures:
    first_s: float
    all_s: float
    lost: int
    two_keys: int


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=1000)
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(f"{options.jobs} jobs in the middle of a keyed skill call; their process is killed.\n")
    table = Table("database", "first again s", "all ended s", "lost", "with two keys", width=10)
    with runs.places(options.on) as places:
        for database in options.on:
            with places(database) as place:
                it = killed(place, options.jobs)
            counts = (str(it.lost), str(it.two_keys))
            table.row(database, f"{it.first_s:.2f}", f"{it.all_s:.1f}", *counts)
    print()


def killed(place: Place, jobs: int) -> Figures:
    effects = place.folder / "effects"
    effects.touch()
    with _process(place, effects, jobs) as first:
        folder.until(lambda: len(_lines(effects)) >= jobs or _over(first), "all in it", PATIENCE)
    began = time.perf_counter()
    with _process(place, effects) as second:
        folder.until(lambda: len(_lines(effects)) > jobs or _over(second), "one goes on", PATIENCE)
        first_s = time.perf_counter() - began
        second.wait(PATIENCE)
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for line in _lines(effects):
        number, key = line.split()
        keys[number].add(key)
    return Figures(
        first_s=first_s,
        all_s=time.perf_counter() - began,
        lost=jobs - records.number(place, SUCCEEDED),
        two_keys=sum(len(each) > 1 for each in keys.values()),
    )


@contextmanager
def _process(place: Place, effects: Path, *jobs: int) -> Iterator[subprocess.Popen[bytes]]:
    """With a number of jobs to start, it holds them; without, it goes on with them."""
    environment = os.environ | {EFFECTS: str(effects)} | ({HOLD: "yes"} if jobs else {})
    command = [sys.executable, "-m", "benchmarks.held", *place.words, *jobs]
    process = subprocess.Popen(list(map(str, command)), cwd=runs.ROOT, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _lines(effects: Path) -> list[str]:
    return effects.read_text().splitlines()


def _over(process: subprocess.Popen[bytes]) -> bool:
    """Raises RunFailed when it has ended by itself."""
    if process.poll() not in (None, 0):
        raise runs.RunFailed(f"exit {process.returncode} before the measure was taken")
    return False
