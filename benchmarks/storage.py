"""Bytes on disk of one conversation of many turns, and what a late turn costs."""

from __future__ import annotations

import argparse

from benchmarks import runs
from benchmarks.pages import PAGE_BYTES

QUICK = ["--turns", "50", "200"]

SYSTEMS = ("lampwork", "langgraph")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--turns", type=int, nargs="+", default=[50, 200, 800])
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(f"One conversation; a turn is a model turn and a skill call that gives {PAGE_BYTES} B.\n")
    with runs.places(options.on) as places:
        for database in options.on:
            for turns in options.turns:
                for name in options.only:
                    with places(database) as place:
                        figures = runs.run("conversation", name, *place.words, turns)
                    _print(database, name, turns, figures)
    print()


def _print(database: str, name: str, turns: int, figures: dict[str, float]) -> None:
    print(
        f"  {database:8} {turns:>4} turns  {name:10} {figures['stored'] / 1e6:>8.2f} MB on disk, "
        f"{figures['stored'] / figures['payload']:>7.2f} x the payload "
        f"(empty {figures['empty'] / 1e6:.2f} MB)   "
        f"{figures['first_ms']:5.1f} ms a turn, {figures['last_ms']:5.1f} late",
        flush=True,
    )
