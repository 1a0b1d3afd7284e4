"""Random SIGKILLs by seed over a mixed load: nothing is lost, and nothing happens twice.

A worker process executes recipes that leave effects in a service, and is killed after a random
while, again and again; another process sends events and resolves unknown outcomes. When the last
worker has brought everything to its end, the promises are compared with what is on record. A seed
gives the same lives (how long, how soon they park); what a kill interrupts is up to the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks import folder, runs
from benchmarks.soak_verdict import Promise, verdict

PATIENCE = 120.0
"""Seconds for everything to end after the last kill, and for a process to come up."""

OPEN_AT_MOST = 40
"""Jobs that have not ended; when there are more, a new worker starts only a few."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--longest", type=float, default=2.0, help="seconds of a worker's life")


def main(options: argparse.Namespace) -> None:
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    given = f"--kills {options.kills} --seed {seed} --longest {options.longest:g}"
    command = f"./scripts/bench soak {given}"
    print(f"{options.kills} kills, seed {seed}", flush=True)
    with runs.fresh_folder() as place:
        promises = soaked(place, options.kills, seed, options.longest)
        broken = sum(len(promise.broken) for promise in promises)
        for promise in promises:
            print(promise)
        if broken:
            kept = shutil.copytree(place, place.with_name(f"soak-{seed}-{place.name}"))
            sys.exit(f"\n{broken} broken promises; see {kept}. Again with: {command}")
    print("\nNothing was lost, and nothing happened twice.\n")


@dataclass
class Ledger:
    """What the processes around the folder reported, over all their lives."""

    accepted: dict[int, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, report: dict[str, Any]) -> None:
        with self.changed:
            match report:
                case {"accepted": number, "job_id": job_id}:
                    if self.accepted.setdefault(number, job_id) != job_id:
                        self.wrong.append(f"{number} is {job_id} and {self.accepted[number]}")
                case {"life": what} | {"did": what}:
                    self.counts[what] += 1
                case _:
                    self.wrong.append(json.dumps(report))
            self.changed.notify_all()


class Process:
    """A process around the folder, whose reports go to the ledger."""

    def __init__(self, ledger: Ledger, log: Path, module: str, *arguments: object) -> None:
        with log.open("a") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)],
                cwd=runs.ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._ledger = ledger
        self._lives: set[str] = set()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self.popen.stdout
        for line in self.popen.stdout:
            if line.endswith("\n"):  # a killed process may leave half a line: nobody was told
                report = json.loads(line)
                self._lives.add(report.get("life"))
                self._ledger.note(report)
        with self._ledger.changed:
            self._ledger.changed.notify_all()

    def has(self, life: str, patience: float = PATIENCE) -> None:
        """Return when it has reported this. Raises RunFailed."""
        with self._ledger.changed:
            reported = self._ledger.changed.wait_for(
                lambda: life in self._lives or not self._reader.is_alive(), patience
            )
        if not reported or life not in self._lives:
            raise runs.RunFailed(f"a process did not get as far as {life!r}; see its log")

    def told(self, **orders: Any) -> None:
        assert self.popen.stdin
        self.popen.stdin.write(json.dumps(orders) + "\n")
        self.popen.stdin.flush()

    def killed(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self._reader.join()


@contextmanager
def service(seed: int) -> Iterator[str]:
    """The service with the effects; yields its URL."""
    command = [sys.executable, "-m", "benchmarks.soak_service", str(seed)]
    process = subprocess.Popen(command, cwd=runs.ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def soaked(place: Path, kills: int, seed: int, longest: float) -> list[Promise]:
    """The promises, each with what broke it."""
    ledger, home, log = Ledger(), place / "home", place / "stderr.log"
    home.mkdir()
    with service(seed) as url:
        os.environ["SOAK_SERVICE"] = url
        outside = Process(ledger, log, "soak_outside", home)
        try:
            outside.has("open")
            last = _lives(ledger, log, home, random.Random(seed), kills, longest)
            late = _quiet(home, last)
        finally:
            outside.killed()
        with urlopen(f"{url}/effects") as response:
            effects = json.load(response)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(ledger.counts.items()))
    print(f"  reported: {counts}\n")
    return verdict(home, ledger.accepted, effects, late + ledger.wrong)


def _lives(
    ledger: Ledger, log: Path, home: Path, chance: random.Random, kills: int, longest: float
) -> Process:
    """One life after the other, each killed; gives the last one, which is not."""
    spare = Process(ledger, log, "soak_worker", home)
    for number in range(kills + 1):
        worker, last = spare, number == kills
        worker.has("imported")
        worker.told(
            next=max(ledger.accepted, default=-1) + 1,
            room=0 if last else max(4, OPEN_AT_MOST - _unfinished(home)),
            settings={
                "park_after": chance.choice((0.0, 0.05, 0.2, 30.0)),
                "max_live": chance.choice((8, 1000)),
                "sweep_interval": chance.choice((0.3, 5.0)),
            },
        )
        life = chance.uniform(0, longest)
        if last:
            return worker
        spare = Process(ledger, log, "soak_worker", home)  # its imports take a life's time
        time.sleep(life)
        if (code := worker.popen.poll()) is not None:
            ledger.wrong.append(f"worker {number} ended by itself, with {code}")
        worker.killed()
        if number % 20 == 19:
            print(f"  {number + 1} kills, {len(ledger.accepted)} jobs accepted", flush=True)
    raise AssertionError("there is a last life")


def _unfinished(home: Path) -> int:
    return folder.rows(home, "select count(*) from jobs where ended_at is null")[0][0]


def _quiet(home: Path, worker: Process) -> list[str]:
    """Let the last worker finish everything and close; what it did not manage."""
    began = time.perf_counter()
    try:
        worker.has("open")
        folder.until(lambda: not _unfinished(home), "all jobs ended", PATIENCE)
        assert worker.popen.stdin
        worker.popen.stdin.close()
        code = worker.popen.wait(PATIENCE)
    except (TimeoutError, subprocess.TimeoutExpired, runs.RunFailed) as error:
        return [f"after the last kill: {error}"]
    finally:
        worker.killed()
    print(f"  quiet {time.perf_counter() - began:.1f} s after the last kill")
    return [f"the last worker ended with {code}"] if code else []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    add_options(parser)
    main(parser.parse_args())
