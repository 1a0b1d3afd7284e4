"""What many parked jobs cost a process that has nothing to do."""

from __future__ import annotations

import argparse

from benchmarks import runs
from benchmarks.systems import Place

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
    with runs.places(options.on) as places:
        for database in options.on:
            with places(database) as empty, places(database) as full:
                _weigh(database, empty, full, options)
    print()


def _weigh(database: str, empty: Place, full: Place, options: argparse.Namespace) -> None:
    at_empty, at_full = empty.words, full.words
    filled = runs.run("waiting", "fill", *at_full, options.many, timeout=4 * 3600)
    runs.run("waiting", "open", *at_empty, 0.1)  # makes the tables
    weighed = {
        "none": runs.run("waiting", "open", *at_empty, options.idle),
        "parked": runs.run("waiting", "open", *at_full, options.idle),
    }
    for name, it in weighed.items():
        print(
            f"  {database:8} {name:7} ready in {it['ready_s']:5.2f} s   {it['rss_mb']:7.1f} MB   "
            f"{it['idle_percent']:5.2f} % of a core"
        )
    more = weighed["parked"]["rss_mb"] - weighed["none"]["rss_mb"]
    print(
        f"  {database:8} more    {more:+.1f} MB; accepted at {filled['started_per_second']:.0f}/s, "
        f"all parked {filled['all_parked_s']:.1f} s later\n",
        flush=True,
    )
