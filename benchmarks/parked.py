"""What many parked jobs cost a process that has nothing to do."""

from __future__ import annotations

import argparse

from benchmarks import runs


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--many", type=int, default=10_000, help="parked jobs")
    parser.add_argument("--idle", type=float, default=20, help="seconds of watching")


def main(options: argparse.Namespace) -> None:
    print(
        f"{options.many} parked jobs, each waiting for an event, beside an empty folder; "
        f"idle for {options.idle:.0f} s.\n"
    )
    with runs.fresh_folder() as empty, runs.fresh_folder() as full:
        filled = runs.run("waiting", "fill", full, options.many, timeout=3600)
        bare = runs.run("waiting", "open", empty, options.idle)
        weighed = runs.run("waiting", "open", full, options.idle)
    for name, it in (("empty", bare), ("parked", weighed)):
        print(
            f"  {name:7} ready in {it['ready_s']:5.2f} s   {it['rss_mb']:7.1f} MB   "
            f"{it['idle_percent']:5.2f} % of a core"
        )
    print(
        f"  more    {weighed['rss_mb'] - bare['rss_mb']:+.1f} MB; "
        f"started at {filled['started_per_second']:.0f}/s, "
        f"all parked {filled['all_parked_s']:.1f} s later\n"
    )
