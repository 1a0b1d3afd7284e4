"""The real `lampwork`, in processes of its own, in a folder with a small project."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROJECT = '''
import os
from pathlib import Path

from pydantic import BaseModel

from lampwork import (
    Answer, Call, Calls, CannotComplete, Job, Metadata, Project, SkillCall, Turn, playbook
)

project = Project("shop")


class Verdict(BaseModel):
    status: str
    reason: str


def note(effect: str) -> int:
    """Write an effect down where the test counts it; the process that did it."""
    with Path("effects.txt").open("a") as file:
        file.write(effect + "\\n")
    return os.getpid()


@project.skill(effect="idempotent")
def approve_invoice(text: str, invoice_id: Metadata[str]) -> str:
    """Approve the invoice."""
    note(f"approved {invoice_id}")
    return f"approved {invoice_id}: {text}"


@project.skill()
def pay(amount: int) -> str:
    """Pay an amount."""
    note(f"paid {amount}")
    if Path("broken").exists():
        raise ConnectionError("the bank hung up")
    return f"receipt for {amount}"


@playbook
def clerk(turn: Turn) -> Calls | Answer:
    if not turn.results:
        spoofed = Call("approve_invoice", text="fine", invoice_id="EVIL")
        return Calls(spoofed, Call("approve_invoice", text="fine"))
    return Answer({"status": "approved", "reason": turn.results[-1].value})


@playbook
def teller(turn: Turn) -> Call | Answer | CannotComplete:
    if "gold" in turn.instructions:
        return CannotComplete("there is no gold", ["gold"])
    if not turn.results:
        return Call("pay", amount=3)
    return Answer(f"done: {turn.results[-1].value}")


finance = project.genie(
    "finance", model=clerk, job_description="You check invoices.", skills=[approve_invoice]
)

@project.skill(effect="idempotent")
def summarise(names: list[str], call: SkillCall) -> str:
    """Save a summary."""
    call.save_artifact("summary.txt", b"All of it said.", "text/plain")
    return " and ".join(names)


@playbook
def reading(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("summarise", names=[file.name for file in turn.files])
    return Answer(f"I read {turn.results[0].value}.")


scribe = project.genie(
    "scribe", model=reading, job_description="You read.", skills=[summarise]
)
cashier = project.genie("cashier", model=teller, job_description="You pay.", skills=[pay])


@project.recipe()
async def add(job: Job, a: int, b: int = 2) -> int:
    """Add two numbers."""
    print("a recipe may print")
    return a + b


@project.recipe()
async def fails(job: Job) -> None:
    raise ValueError("the shop is closed")


@project.recipe()
async def where(job: Job) -> int:
    return await job.step(os.getpid)


@project.recipe()
async def delegates_where(job: Job) -> int:
    return await job.call(where)


@project.recipe()
async def asks(job: Job) -> str:
    await job.step(note, f"asked by {job.id}")
    answer = await job.wait_for("go", str)
    await job.step(note, f"answered {answer}")
    return answer


@project.recipe()
async def holds_on(job: Job) -> str:
    return await job.wait_for("go", str)


@project.recipe()
async def calls_asks(job: Job) -> str:
    job.log("about to ask")
    return await job.call(asks)


def hold() -> str:
    """Executes until the test writes into the pipe."""
    note("held")
    return Path("pipe").read_text()


@project.recipe()
async def holds(job: Job) -> str:
    return await job.step(hold)


@project.recipe()
async def review(job: Job, invoice: str) -> Verdict:
    task = await job.assign_task(
        finance,
        "Check the invoice.",
        data={"total": 12},
        metadata={"invoice_id": invoice},
        output=Verdict,
    )
    return task.output


@project.skill()
def settle(amount: int, invoice_id: Metadata[str]) -> str:
    """Settle an invoice."""
    raise ConnectionError("the bank hung up")


bursar = project.genie(
    "bursar",
    model=playbook(lambda turn: Answer("done") if turn.results else Call("settle", amount=3)),
    job_description="You settle.",
    skills=[settle],
)


@project.skill(effect="idempotent")
def weigh(parcel: str) -> str:
    """Weigh a parcel."""
    raise ValueError(f"no scales for {parcel}")


@playbook
def porter(turn: Turn) -> Call | Answer:
    return Answer("no weight") if turn.results else Call("weigh", parcel="P1")


carrier = project.genie("carrier", model=porter, job_description="You carry.", skills=[weigh])


@project.recipe()
async def carries(job: Job) -> str:
    return (await job.assign_task(carrier, "Weigh the parcel.")).response


def drop() -> None:
    raise ConnectionError("it fell")


@project.recipe()
async def drops(job: Job) -> None:
    await job.step(drop)


@project.recipe()
async def delegates(job: Job) -> None:
    await job.call(drops)


def deliver() -> None:
    note("delivered")
    if Path("blocked").exists():
        raise ConnectionError("the road is closed")


@project.recipe()
async def ships(job: Job) -> str:
    task = await job.assign_task(cashier, "Pay the postage.")
    await job.step(deliver)
    return task.response


@project.recipe()
async def risks(job: Job) -> None:
    await job.options(effect="at_most_once").step(drop)


@project.recipe()
async def risks_below(job: Job) -> None:
    await job.call(risks)


@project.recipe()
async def pays(job: Job) -> str:
    task = await job.assign_task(cashier, "Pay the invoice.")
    return task.response
'''

DEADLINE = 30.0


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
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *words: str, **environment: str) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "lampwork", *words],
            cwd=self.folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, *words: str, **environment: str) -> Any:
        """What a command that works prints for programs."""
        done = self(*words, "--json", **environment)
        assert done.code == 0, done
        return done.json

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command that goes on, in a process that does not outlive the test."""
        process = subprocess.Popen(
            [sys.executable, "-m", "lampwork", *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def terminal(
        self,
        *words: str,
        columns: int = 80,
        typed: str = "",
        code: int = 0,
        **environment: str,
    ) -> str:
        """What a command shows on a terminal of that width, where this is typed."""
        ours, its_end = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "lampwork", *words],
            cwd=self.folder,
            env=os.environ
            | {"TERM": "xterm", "COLUMNS": str(columns), "LINES": "40"}
            | environment,
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
        )
        self.processes.append(process)
        os.close(its_end)
        os.write(ours, typed.encode())
        shown = b""
        # When the other end is closed, Linux answers with an error and others with nothing.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65536):
                shown += part
        os.close(ours)
        assert process.wait(DEADLINE) == code, shown
        return shown.decode().replace("\r\n", "\n")

    def worker(self, *words: str) -> subprocess.Popen[str]:
        """A worker that executes."""
        worker = self.start("worker", *words)
        assert worker.stdout is not None
        assert worker.stderr is not None
        if not (line := worker.stdout.readline()):
            raise AssertionError(worker.stderr.read())
        assert line.endswith(f"(pid {worker.pid})\n"), line
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
        until = time.monotonic() + DEADLINE
        while True:
            done = self("job", job_id, "--json")
            if done.code == 0 and (not statuses or done.json["status"] in statuses):
                return done.json
            assert time.monotonic() < until, f"not {statuses}: {done}"

    def eventually(self, probe: Callable[[], Any]) -> Any:
        """The first truthy thing that the probe gives."""
        until = time.monotonic() + DEADLINE
        while not (found := probe()):
            assert time.monotonic() < until, f"it never came to that; jobs: {self('jobs').out}"
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


@pytest.fixture
def ended() -> Callable[[subprocess.Popen[str]], Done]:
    """A process, once it has ended by itself."""

    def ended(process: subprocess.Popen[str]) -> Done:
        out, err = process.communicate(timeout=DEADLINE)
        return Done(process.returncode, out, err)

    return ended


@pytest.fixture
def stop(ended: Callable[[subprocess.Popen[str]], Done]) -> Callable[..., Done]:
    """A process, once it has ended upon a signal."""

    def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> Done:
        process.send_signal(number)
        return ended(process)

    return stop


@pytest.fixture
def lampwork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """`lampwork(…)`, in a folder of its own whose project is in ./project.py."""
    monkeypatch.delenv("LAMPWORK_HOME")
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "project.py").write_text(PROJECT)
    shell = Shell(folder)
    yield shell
    shell.end()


class Terminal:
    """A terminal in which a chat goes on: what is typed, and what is to be read then."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._ours, its_end = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lampwork", "chat", *words],
            cwd=folder,
            env=os.environ | {"TERM": "dumb", "COLUMNS": "300", "LINES": "50"},
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(its_end)
        self.shown = ""
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def until(self, text: str) -> str:
        """Read on until this is there; what came up to it."""
        until = time.monotonic() + DEADLINE
        while (found := self.shown.find(text, self._read)) < 0:
            left = until - time.monotonic()
            assert left > 0, f"{text!r} never came: {self.shown[self._read :]!r}"
            assert self._more(left), f"it ended without {text!r}: {self.shown[self._read :]!r}"
        before, self._read = self.shown[self._read : found], found + len(text)
        return before

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
        return self._process.wait(DEADLINE)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE)

    def close(self) -> None:
        if self._process.poll() is None:
            self.kill()
        os.close(self._ours)


def _take_terminal() -> None:
    """Make the terminal the session's own, so that Ctrl-C gets there."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(lampwork: Shell) -> Iterator[Callable[..., Terminal]]:
    """`terminal(…)`: a `lampwork chat …` in a terminal of its own."""
    opened: list[Terminal] = []

    def open(*words: str) -> Terminal:
        opened.append(Terminal(lampwork.folder, *words))
        return opened[-1]

    yield open
    for each in opened:
        each.close()
