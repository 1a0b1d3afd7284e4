"""From an event to the next line of the job that waits for it, hot and parked."""

from __future__ import annotations

import argparse
from statistics import quantiles

from benchmarks import runs

QUICK = ["--samples", "100"]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=200)
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(f"{options.samples} jobs wait; each gets its event when the one before has gone on.\n")
    with runs.places(options.on) as places:
        for database in options.on:
            for kind in ("hot", "parked"):
                with places(database) as place:
                    given = (*place.words, kind, options.samples)
                    cuts = quantiles(runs.run("waiting", "wake", *given), n=100)
                print(
                    f"  {database:8} {kind:7} p50 {cuts[49]:6.1f} ms   p99 {cuts[98]:6.1f} ms",
                    flush=True,
                )
    print()
