"""The processes of a mixed load, as the one that drives them sees them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks import runs
from benchmarks.mixed.effects import SERVICE

PATIENCE = 120.0
"""Seconds for a process to come up, and for everything to end when it is quiet."""


@dataclass
class Ledger:
    """What the processes reported, over all their lives."""

    accepted: dict[int, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    pids: dict[int, int] = field(default_factory=dict)
    open: set[Any] = field(default_factory=set)
    ended: dict[int, int] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, report: dict[str, Any]) -> None:
        with self.changed:
            match report:
                case {"accepted": number, "job_id": job_id}:
                    if self.accepted.setdefault(number, job_id) != job_id:
                        self.wrong.append(f"{number} is {job_id} and {self.accepted[number]}")
                case {"life": life, "pid": pid}:
                    self.pids[life] = pid
                case {"life": life, "is_open": True}:
                    self.open.add(life)
                case {"life": life, "ended": code}:
                    self.ended[life] = code
                case {"did": what}:
                    self.counts[what] += 1
                case _:
                    self.wrong.append(json.dumps(report))
            self.changed.notify_all()

    def until(self, reached: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Return as soon as the reports have led there. Raises RunFailed."""
        with self.changed:
            if not self.changed.wait_for(reached, patience):
                raise runs.RunFailed(f"not within {patience:.0f} s: {what}")

    def next_of(self, starter: int, starters: int) -> int:
        """The number after the last one that is known to be accepted from a starter."""
        own = [number for number in self.accepted if number % starters == starter]
        return max(own, default=starter - starters) + starters


class Process:
    """A process whose reports go to the ledger."""

    def __init__(self, ledger: Ledger, log: Path, module: str, *arguments: object) -> None:
        with log.open("a") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.mixed.{module}", *map(str, arguments)],
                cwd=runs.ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._ledger = ledger
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self.popen.stdout
        for line in self.popen.stdout:
            self._ledger.note(json.loads(line))

    @property
    def ended(self) -> bool:
        return self.popen.poll() is not None

    def told(self, order: dict[str, Any]) -> None:
        assert self.popen.stdin
        self.popen.stdin.write(json.dumps(order) + "\n")
        self.popen.stdin.flush()

    def close(self) -> None:
        """Tell that there is no more to do; kill what does not end then."""
        assert self.popen.stdin
        self.popen.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(0.5)
        self.popen.kill()
        self.popen.wait()


@contextmanager
def service(seed: int) -> Iterator[str]:
    """The service with the effects; yields its URL, which processes that are started find."""
    command = [sys.executable, "-m", "benchmarks.mixed.service", str(seed)]
    process = subprocess.Popen(command, cwd=runs.ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        os.environ[SERVICE] = process.stdout.readline().strip()
        yield os.environ[SERVICE]
    finally:
        process.kill()
        process.wait()


def told_service(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url + path, content), timeout=30) as response:
        return json.load(response)


@dataclass
class Life:
    """One worker process."""

    number: int
    pid: int
    armed: bool
    """Whether it is to kill itself somewhere."""
    fate: str | None = None
    """What was done to it that ends it: killed, drained."""

    def signal(self, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, what)
