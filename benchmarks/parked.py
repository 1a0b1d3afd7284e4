"""What many parked jobs cost a process that has nothing to do."""

from __future__ import annotations

import argparse

from benchmarks import runs
from benchmarks.systems import Place
from benchmarks.table import Table

QUICK = ["--many", "3000", "--idle", "10"]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--many", type=int, default=100_000, help="parked jobs")
    parser.add_argument("--idle", type=float, default=20, help="seconds of watching")
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(
        f"{options.many} parked jobs, each waiting for an event, beside an empty place; "
        f"idle for {options.idle:.0f} s.\n"
    )
    table = Table("jobs", "ready s", "MB", "% of a core", "accepted/s", "all parked s", width=24)
    with runs.places(options.on) as places:
        for database in options.on:
            with places(database) as empty, places(database) as full:
                _weigh(table, database, empty, full, options)
    print()


def _weigh(
    table: Table, database: str, empty: Place, full: Place, options: argparse.Namespace
) -> None:
    filled = runs.run("waiting", "fill", *full.words, options.many, timeout=4 * 3600)
    runs.run("waiting", "open", *empty.words, 0.1)  # makes the tables
    rates = (f"{filled['started_per_second']:.0f}", f"{filled['all_parked_s']:.0f}")
    weighed = (
        (f"none on {database}", empty, ("", "")),
        (f"{options.many} on {database}", full, rates),
    )
    for name, place, at_filling in weighed:
        it = runs.run("waiting", "open", *place.words, options.idle)
        figures = (f"{it['ready_s']:.2f}", f"{it['rss_mb']:.1f}", f"{it['idle_percent']:.2f}")
        table.row(name, *figures, *at_filling)
