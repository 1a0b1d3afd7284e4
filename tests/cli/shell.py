"""A folder in which `lampwork` is typed, and the terminals it is typed on."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import pty
import select
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.warm import Command, Warm

DEADLINE = 120.0


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """A folder in which `lampwork` is typed."""

    folder: Path
    warm: Warm
    processes: list[Command] = field(default_factory=list)
    terminals: list[Terminal] = field(default_factory=list)

    def __call__(self, *words: str, input: str | None = None, **environment: str) -> Done:
        """Run a command to its end, with what it reads."""
        stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
        process = self._open(words, environment, stdin=stdin)
        out, err = process.communicate(input, timeout=DEADLINE)
        return Done(process.wait(), out, err)

    def json(self, *words: str, **environment: str) -> Any:
        """What a command that works prints for programs."""
        done = self(*words, "--json", **environment)
        assert done.code == 0, done
        return done.json

    def start(self, *words: str, **files: int) -> Command:
        """A command that goes on, in a process that does not outlive the test."""
        return self._open(words, {}, **files)

    def terminal(
        self,
        *words: str,
        columns: int = 80,
        typed: str = "",
        code: int = 0,
        **environment: str,
    ) -> str:
        """What a command shows on a terminal of that width, where this is typed."""
        terminal = self.on_terminal(*words, columns=columns, **environment)
        terminal.type(typed)
        assert terminal.ended() == code, terminal.shown
        return terminal.shown

    def on_terminal(
        self,
        *words: str,
        columns: int = 80,
        lines: int = 40,
        controlled: bool = False,
        **environment: str,
    ) -> Terminal:
        """A command that goes on, on a terminal; `controlled`: from where Ctrl-C gets to it."""
        ours, its_end = pty.openpty()
        size = {"TERM": "xterm", "COLUMNS": str(columns), "LINES": str(lines)}
        files = {"stdin": its_end, "stdout": its_end, "stderr": its_end}
        process = self._open(words, size | environment, controlled=controlled, **files)
        os.close(its_end)
        self.terminals.append(Terminal(process, ours))
        return self.terminals[-1]

    def _open(self, words: tuple[str, ...], environment: dict[str, str], **more: int) -> Command:
        command = ("-m", "lampwork", *words)
        process = self.warm.start(command, cwd=self.folder, env=os.environ | environment, **more)
        self.processes.append(process)
        return process

    def worker(self, *words: str) -> Command:
        """A worker that executes; a recipe that was queued may have printed before it says so."""
        worker = self.start("worker", *words)
        assert worker.stdout is not None
        assert worker.stderr is not None
        while not (line := worker.stdout.readline()).endswith(f"(pid {worker.pid})\n"):
            assert line, worker.stderr.read()
        return worker

    def other_project(self) -> None:
        """Another project, in other.py."""
        (self.folder / "other.py").write_text(
            "from lampwork import Job, Project\n"
            "other = Project('other')\n"
            "@other.recipe()\n"
            "async def greet(job: Job) -> str:\n"
            "    return await job.wait_for('go', str)\n"
        )

    def queue(self, *words: str) -> str:
        """The id of a job that is queued."""
        return self.json(*words)["job_id"]

    def job(self, job_id: str, *statuses: str) -> Any:
        """A job, once it has one of these statuses."""

        def probe() -> Any:
            if statuses and self._status(job_id) not in (None, *statuses):
                return None
            done = self("job", job_id, "--json")
            found = done.code == 0 and (not statuses or done.json["status"] in statuses)
            return done.json if found else None

        return self.eventually(probe)

    def _status(self, job_id: str) -> str | None:
        """That of a job in this folder, looked up without a process; None if it is not here."""
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(
                sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)
            ) as connection,
        ):
            found = connection.execute("select status from jobs where id = ?", [job_id]).fetchone()
            return found and found[0]
        return None

    @property
    def _database(self) -> Path:
        return self.folder / ".lampwork" / "lampwork.db"

    def eventually(self, probe: Callable[[], Any]) -> Any:
        """The first truthy thing that the probe gives, tried again upon each commit."""
        until = time.monotonic() + DEADLINE
        with Commits(self._database) as commits:
            while not (found := probe()):
                assert time.monotonic() < until, f"it never came to that: {self('jobs').out}"
                commits.next()
        return found

    def effects(self) -> list[str]:
        """What the project's functions have done."""
        file = self.folder / "effects.txt"
        return file.read_text().splitlines() if file.exists() else []

    def end(self) -> None:
        """End what still runs."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=DEADLINE)
        for terminal in self.terminals:
            terminal.close()


class Commits(contextlib.ExitStack):
    """Commits of anyone: a probe is mostly a process, and many would take the time of who works."""

    def __init__(self, database: Path) -> None:
        super().__init__()
        self._database = database
        self._reading: sqlite3.Connection | None = None
        self._seen: int | None = None

    def next(self) -> None:
        """Wait for one, a moment at most: not everything that is waited for leaves one."""
        until = time.monotonic() + 0.2
        while self._version() == self._seen and time.monotonic() < until:
            time.sleep(0.005)
        self._seen = self._version()

    def _version(self) -> int | None:
        if self._reading is None and self._database.exists():
            self._reading = sqlite3.connect(self._database, timeout=DEADLINE)
            self.enter_context(contextlib.closing(self._reading))
        if self._reading is None:
            return None
        return self._reading.execute("PRAGMA data_version").fetchone()[0]


class Terminal:
    """A terminal on which a command goes on: what is typed, and what is to be read then."""

    def __init__(self, process: Command, ours: int) -> None:
        self.process = process
        self.shown = ""
        self._ours = ours
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def press(self, key: str, text: str) -> str:
        """Press an interrupting key, as often as a person has to until this is there.

        Python's readline looks for interrupts only while it waits: one that comes while it shows
        a prompt or a key stays unnoticed until the next. Nobody presses twice what is only slow:
        the second one would be noticed behind what is typed next, and take that away.
        """
        until = time.monotonic() + DEADLINE
        while True:
            self.type(key)
            goes_on = True
            while goes_on:
                with contextlib.suppress(AssertionError):
                    return self.until(text, within=1.0)
                assert time.monotonic() < until, f"{text!r} never came: {self.shown!r}"
                goes_on = not self._rests() or bool(select.select([self._ours], [], [], 0)[0])

    def _rests(self) -> bool:
        """Whether all that the process does is to wait."""
        states: list[str] = []
        for each in Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):  # it has ended
                states.append(each.read_text().rpartition(") ")[2][0])
        return set(states) <= {"S"}

    def until(self, text: str, within: float = DEADLINE) -> str:
        """Read on until this is there; what came up to it."""
        until = time.monotonic() + within
        while (found := self.shown.find(text, self._read)) < 0:
            left = until - time.monotonic()
            assert left > 0, f"{text!r} never came: {self.shown[self._read :]!r}"
            assert self._more(left), f"it ended without {text!r}: {self.shown[self._read :]!r}"
        before, self._read = self.shown[self._read : found], found + len(text)
        return before

    def until_all(self, *texts: str) -> None:
        """Read on until all of this has been there, in whatever order."""
        until = time.monotonic() + DEADLINE
        while missing := [text for text in texts if text not in self.shown]:
            left = until - time.monotonic()
            assert left > 0, f"{missing} never came: {self.shown!r}"
            assert self._more(left), f"it ended without {missing}: {self.shown!r}"

    def _more(self, left: float) -> bool:
        if not select.select([self._ours], [], [], left)[0]:
            return True
        with contextlib.suppress(OSError):
            if part := os.read(self._ours, 65536):
                shown = self.shown + self._decoder.decode(part)
                self.shown = shown.replace("\r\n", "\n")
                return True
        return False

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def ended(self) -> int:
        """Read on to the end; the exit code."""
        until = time.monotonic() + DEADLINE
        while self._more(max(0.0, until - time.monotonic())):
            assert time.monotonic() < until, f"it never ended: {self.shown[self._read :]!r}"
        return self.process.wait(DEADLINE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE)

    def close(self) -> None:
        os.close(self._ours)
