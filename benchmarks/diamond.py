"""A plan in the shape of a diamond beside its critical path: what an orchestration adds to it."""

from __future__ import annotations

import argparse
from statistics import median

from benchmarks import runs
from benchmarks.table import Table
from benchmarks.work import FAN_TURNS, MODEL_SECONDS

QUICK = ["--rounds", "3"]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 2, 3, 2, 1], help="of levels")
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    widths: list[int] = options.widths
    print(
        f"Levels of {', '.join(map(str, widths))} subtasks, each of {FAN_TURNS} model turns of "
        "50 ms; each level waits for all of the one before.\n"
    )
    path = len(widths) * FAN_TURNS * MODEL_SECONDS
    table = Table("diamond", "critical path s", "p50 s", "least s", "p50 adds", width=16)
    with runs.places(options.on) as places:
        for database in options.on:
            with places(database) as place:
                took: list[float] = runs.run("levels", *place.words, options.rounds, *widths)
            figures = (path, median(took), min(took))
            adds = f"{median(took) / path - 1:.0%}"
            table.row(f"on {database}", *(f"{each:.3f}" for each in figures), adds)
    print()
