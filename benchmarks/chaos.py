"""Faults by seed over a mixed load: nothing is lost, and nothing happens twice.

Workers execute recipes that leave effects in a service, while they are killed at random and at
failpoints, frozen and thawed, drained and replaced; a Postgres server is stopped, killed and
restarted, and its connections are cut. People start jobs, send events, decide, cancel and retry.
Every so often everything must come to its end by itself; after the last time the promises are
compared with what is on record. A seed gives the same faults and the same lives; what a fault
interrupts is up to the machine.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from pathlib import Path

from benchmarks import runs
from benchmarks.mixed import ground as grounds
from benchmarks.mixed.crew import Crew
from benchmarks.mixed.faults import birth, faults
from benchmarks.mixed.ground import Ground
from benchmarks.mixed.processes import service
from benchmarks.mixed.verdict import Promise

QUICK = ["--minutes", "1"]

LULL_EVERY = 60
"""Faults after which everything must become quiet."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=None, help="how long faults go on")
    parser.add_argument("--kills", type=int, default=None, help="or until so many SIGKILLs")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--workers", type=int, default=None, help="on Postgres; 3")
    parser.add_argument("--longest", type=float, default=2.0, help="seconds between two faults")


def main(options: argparse.Namespace) -> None:
    if options.minutes is None and options.kills is None:
        options.minutes = 5.0
    if options.seed is None:
        options.seed = random.randrange(1_000_000)
    options.workers = 1 if options.db == "sqlite" else options.workers or 3
    given = " ".join(f"--{name} {value}" for name, value in vars(options).items() if value)
    print(f"chaos {given}", flush=True)
    with runs.fresh_folder() as place, grounds.made(options.db, place) as ground:
        promises, kept = _befallen(place, ground, options), None
        broken = sum(len(promise.broken) for promise in promises)
        for promise in promises:
            print(promise)
        if broken:
            ground.keep(place)
            kept = place.with_name(f"chaos-{options.seed}-{place.name}")
            shutil.copytree(place, kept)
    if broken:
        sys.exit(f"\n{broken} broken promises; see {kept}. Again: ./scripts/bench chaos {given}")
    print("\nNothing was lost, and nothing happened twice.\n")


def _befallen(place: Path, ground: Ground, options: argparse.Namespace) -> list[Promise]:
    """The promises, each with what broke it."""
    with service(options.seed) as url:
        crew = Crew(ground, url, place, options.workers, lambda life: birth(options.seed, life))
        try:
            quiet = _faults(crew, options, place / "faults.log")
            promises = crew.judged()
        finally:
            crew.close()
    counts = crew.counts + crew.ledger.counts
    print(f"  {', '.join(f'{count} {what}' for what, count in sorted(counts.items()))}")
    print(f"  {len(crew.ledger.accepted)} jobs accepted; quiet at the latest after {quiet:.1f} s\n")
    return promises


def _faults(crew: Crew, options: argparse.Namespace, log: Path) -> float:
    """Let the faults happen; how long it took at the most to become quiet in a lull."""
    ends = time.monotonic() + (options.minutes or 1e9 / 60) * 60
    longest = 0.0
    foretold = faults(options.seed, options.db, options.workers, options.longest)
    for happened, fault in enumerate(foretold, 1):
        crew.tend(time.monotonic() + fault.after)
        over = time.monotonic() > ends or crew.counts["kills"] >= (options.kills or 1e9)
        if over or happened % LULL_EVERY == 0:
            seconds = crew.become_quiet()
            longest = max(longest, seconds)
            done = f"{crew.counts['kills']} kills, {len(crew.ledger.accepted)} jobs accepted"
            print(f"  {done}; quiet after {seconds:.1f} s", flush=True)
            if over:
                crew.rest()
                return longest
            crew.go_on()
        crew.befall(fault)
        with log.open("a") as file:
            file.write(f"{time.time():.3f} {fault}\n")
    raise AssertionError("there is always one more fault")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    add_options(parser)
    main(parser.parse_args())
