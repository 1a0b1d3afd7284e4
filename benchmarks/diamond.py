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
    turns = len(widths) * FAN_TURNS * MODEL_SECONDS
    print(
        f"The critical path is the longest task of each level, as it ran; its {FAN_TURNS} x "
        f"{len(widths)} model turns alone are {turns:.3f} s.\n"
    )
    table = Table(
        "diamond", "critical path s", "p50 s", "adds", "least s", "to turns alone", width=16
    )
    with runs.places(options.on) as places:
        for database in options.on:
            with places(database) as place:
                found: list[tuple[float, float]] = runs.run(
                    "levels", *place.words, options.rounds, *widths
                )
            took, path = (median(each) for each in zip(*found, strict=True))
            adds, to_turns = (f"{took / each - 1:.1%}" for each in (path, turns))
            least = min(each for each, _ in found)
            figures = (f"{path:.3f}", f"{took:.3f}", adds, f"{least:.3f}", to_turns)
            table.row(f"on {database}", *figures)
    print()
