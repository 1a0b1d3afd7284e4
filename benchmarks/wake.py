"""From an event to the next line of the job that waits for it, hot and parked."""

from __future__ import annotations

import argparse
from statistics import quantiles

from benchmarks import runs


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=200)


def main(options: argparse.Namespace) -> None:
    print(f"{options.samples} jobs wait; each gets its event when the one before has gone on.\n")
    for kind in ("hot", "parked"):
        with runs.fresh_folder() as folder:
            cuts = quantiles(runs.run("waiting", "wake", folder, kind, options.samples), n=100)
        print(f"  {kind:7} p50 {cuts[49]:6.1f} ms   p99 {cuts[98]:6.1f} ms", flush=True)
    print()
