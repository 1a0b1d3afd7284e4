"""From an event to the next line of the job that waits for it, hot and parked."""

from __future__ import annotations

import argparse
from statistics import quantiles

from benchmarks import runs
from benchmarks.table import Table

QUICK = ["--samples", "100"]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=200)
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(f"{options.samples} jobs wait; each gets its event when the one before has gone on.\n")
    table = Table("job", "p50 ms", "p99 ms", width=20)
    with runs.places(options.on) as places:
        for database in options.on:
            for kind in ("hot", "parked"):
                with places(database) as place:
                    given = (*place.words, kind, options.samples)
                    cuts = quantiles(runs.run("waiting", "wake", *given), n=100)
                table.row(f"{kind} on {database}", f"{cuts[49]:.1f}", f"{cuts[98]:.1f}")
    print()
