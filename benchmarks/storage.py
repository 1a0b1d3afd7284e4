"""Bytes on disk of one conversation of many turns, and what a late turn costs."""

from __future__ import annotations

import argparse

from benchmarks import runs
from benchmarks.pages import PAGE_BYTES
from benchmarks.table import Table

QUICK = ["--turns", "50", "200"]

SYSTEMS = ("lampwork", "langgraph")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--turns", type=int, nargs="+", default=[50, 200, 800])
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(f"One conversation; a turn is a model turn and a skill call that gives {PAGE_BYTES} B.\n")
    units = ("MB", "x the payload", "MB empty", "ms a turn", "ms late")
    table = Table("conversation", *units, width=36)
    with runs.places(options.on) as places:
        for database in options.on:
            for turns in options.turns:
                for name in options.only:
                    with places(database) as place:
                        figures = runs.run("conversation", name, *place.words, turns)
                    table.row(f"{turns} turns, {name} on {database}", *_cells(figures))
    print()


def _cells(figures: dict[str, float]) -> list[str]:
    return [
        f"{figures['stored'] / 1e6:.2f}",
        f"{figures['stored'] / figures['payload']:.2f}",
        f"{figures['empty'] / 1e6:.2f}",
        f"{figures['first_ms']:.1f}",
        f"{figures['last_ms']:.1f}",
    ]
