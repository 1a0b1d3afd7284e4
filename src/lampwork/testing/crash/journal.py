"""What a job did over its lives, in a file that outlives them."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lampwork.failpoint import Starting

__all__ = ["Journal", "Recorder"]


@dataclass(slots=True)
class Journal:
    """What was written down by all lives so far."""

    hits: Counter[str] = field(default_factory=Counter[str])
    """How often they came to each boundary."""
    starts: list[Starting] = field(default_factory=list[Starting])
    """The effects that were about to begin."""
    job_id: str | None = None
    now: float | None = None
    """What time it was at last."""
    killed: bool = False
    end: dict[str, Any] | None = None
    """How the last life ended."""

    @classmethod
    def read(cls, file: Path) -> Journal:
        """That of a file, if it is there."""
        journal = cls()
        lines = file.read_text().splitlines() if file.exists() else []
        for line in lines:
            journal._take(json.loads(line))
        return journal

    @property
    def repeats(self) -> int:
        """How many effects were about to begin that had been before."""
        return len(self.starts) - len({(each.job, each.call) for each in self.starts})

    def _take(self, said: dict[str, Any]) -> None:
        self.end = None
        match said:
            case {"at": point, "starting": starting}:
                self.hits[point] += 1
                if starting is not None:
                    self.starts.append(Starting(*starting))
            case {"job": job_id}:
                self.job_id = job_id
            case {"now": now}:
                self.now = now
            case {"killed": _}:
                self.killed = True
            case _:
                self.end = said["end"]


class Recorder:
    """Writes the journal of one life, and kills it where it is told to."""

    def __init__(self, file: Path, kill: str | None) -> None:
        self.before = Journal.read(file)
        self._hits = Counter(self.before.hits)
        self._kill = None if self.before.killed else kill
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._lock = threading.Lock()

    def say(self, **what: Any) -> None:
        """Write a line; a killed process leaves it whole or not at all."""
        os.write(self._file, json.dumps(what).encode() + b"\n")

    def hit(self, point: str, starting: Starting | None) -> None:
        """A boundary was reached, on whatever thread."""
        with self._lock:
            self._hits[point] += 1
            self.say(at=point, starting=starting)
            if self._kill == f"{point}#{self._hits[point]}":
                self.say(killed=self._kill)
                os.kill(os.getpid(), signal.SIGKILL)
