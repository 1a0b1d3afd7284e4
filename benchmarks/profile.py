"""Where the CPU of a recipe goes in Lampwork, layer by layer.

A sampler looks at what holds the interpreter. What each thread has used is the system's account,
what its database's driver has used the thread's own clock; the rest of it is shared by its samples.
Linux only: the account is read from /proc.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import folder, runs
from benchmarks.layers import REST, Part, part
from benchmarks.systems import Place
from benchmarks.table import Table

QUICK = ["--many", "300"]

IN_DRIVER = "watched_driver.<locals>"
"""Of a stack: what the process has counted by itself."""
SQLALCHEMY = "/sqlalchemy/"
FRAME = re.compile(r"(?P<function>[^;]+?) \((?P<file>[^;()]+):\d+\)")
RATE = 250
PATIENCE = 600.0


@dataclass
class Spent:
    """Milliseconds per recipe."""

    all: float = 0.0
    sqlalchemy: float = 0.0
    driver: float = 0.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--many", type=int, default=1000, help="recipes")
    parser.add_argument("--width", type=int, default=50, help="of them at once")
    parser.add_argument("--parts", type=int, default=15, help="functions to list")
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(f"Where the CPU of a recipe goes: {options.many}, {options.width} at once.\n")
    with runs.places(options.on) as places:
        for database in options.on:
            with places(database) as place:
                figures, stacks = sampled(place, options.many, options.width)
            _print(database, figures["cpu_ms"], weighed(figures, stacks), options.parts)


def sampled(place: Place, many: int, width: int) -> tuple[dict[str, Any], Counter[str]]:
    """What the process said of itself, and how often each stack was seen."""
    raw, said = place.folder / "stacks", place.folder / "sampler.log"
    given = (*place.words, many, width)
    command = [sys.executable, "-m", "benchmarks.profiled", *map(str, given)]
    with (
        said.open("w") as log,
        subprocess.Popen(
            command, cwd=runs.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        pid = process.stdout.readline().strip()
        py_spy = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", pid]
        how = ["--format", "raw", "--threads", "--full-filenames", "--rate", str(RATE), "--gil"]
        sampler = subprocess.Popen([*py_spy, *how, "--output", str(raw)], stdout=log, stderr=log)
        folder.until(lambda: "Sampling" in said.read_text(), "py-spy samples", PATIENCE)
        process.stdin.write("\n")
        process.stdin.flush()
        figures = json.loads(process.stdout.readline())
        sampler.send_signal(signal.SIGINT)
        sampler.wait(PATIENCE)
        process.stdin.close()
    stacks: Counter[str] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[stack] += int(count)
    return figures, stacks


def weighed(figures: dict[str, Any], stacks: Counter[str]) -> dict[Part, Spent]:
    """What the drivers counted, and of the rest of each thread its samples' share."""
    spent: defaultdict[Part, Spent] = defaultdict(Spent)
    left: defaultdict[str, float] = defaultdict(float, figures["threads"])
    for thread, where, milliseconds in figures["drivers"]:
        it = spent[tuple(where)]
        it.all += milliseconds
        it.driver += milliseconds
        left[str(thread)] -= milliseconds
    outside = {stack: n for stack, n in stacks.items() if IN_DRIVER not in stack}
    seen: Counter[str] = Counter()
    for stack, count in outside.items():
        seen[_thread(stack)] += count
    for stack, count in outside.items():
        thread = _thread(stack)
        milliseconds = left[thread] * count / seen[thread]
        frames = [(it["function"], it["file"]) for it in FRAME.finditer(stack)]
        it = spent[part(reversed(frames))]
        it.all += milliseconds
        if SQLALCHEMY in stack:
            it.sqlalchemy += milliseconds
    unseen = sum(milliseconds for thread, milliseconds in left.items() if not seen[thread])
    spent[REST, "threads without samples"].all += unseen
    return spent


def _thread(stack: str) -> str:
    """By its id in the system."""
    found = re.match(r"thread \((\d+)\)", stack)
    return found[1] if found else ""


def _print(database: str, cpu_ms: float, spent: dict[Part, Spent], parts: int) -> None:
    layers: dict[str, Spent] = {}
    for (layer, _), each in spent.items():
        whole = layers.setdefault(layer, Spent())
        whole.all += each.all
        whole.sqlalchemy += each.sqlalchemy
        whole.driver += each.driver
    print(f"{database}: {cpu_ms:.2f} ms of CPU a recipe\n")
    _table("layer", list(layers.items()))
    found = [(", ".join(filter(None, where)), each) for where, each in spent.items()]
    _table("the largest parts", sorted(found, key=_size)[:parts])


def _table(name: str, spent: list[tuple[str, Spent]]) -> None:
    table = Table(name, "ms", "of it SQLAlchemy", "of it the driver", width=66)
    for each, it in sorted(spent, key=_size):
        table.row(each, f"{it.all:.2f}", f"{it.sqlalchemy:.2f}", f"{it.driver:.2f}")
    print(flush=True)


def _size(each: tuple[str, Spent]) -> float:
    return -each[1].all
