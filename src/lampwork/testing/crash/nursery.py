"""Processes to be killed: one imports the project once, and forks one for each life.

What two lives have from one of them is the same, as it never is in processes that start anew: the
order of sets, the state of `random`. So there are two, and the lives of a job take turns.

A fork costs 10 ms, a start with all its imports 600. What is said between the two sides is a line
of JSON each; what a life does is in its journal, a file, which outlives a kill.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from lampwork.errors import NotImportable
from lampwork.testing.cast import TestCast
from lampwork.testing.crash.life import Order, live
from lampwork.testing.crash.place import Place, load_module

__all__ = ["Nursery", "Players", "main"]

_COMMAND = "from lampwork.testing.crash.nursery import main; main()"


@dataclass(frozen=True, slots=True)
class Players:
    """What the child processes import: the project, its recipe's module, who plays its genies."""

    project: Place
    modules: tuple[tuple[str, str | None], ...]
    models: dict[str, Place]
    model: Place | None
    live: bool


class Nursery(AbstractContextManager["Nursery"]):
    """The process that forks, from the side of the test."""

    def __init__(self, players: Players, folder: Path, *, hash_seed: int) -> None:
        """Start it; it imports what the players need.

        Sets of texts have another order under another `hash_seed`, as in any two processes.
        """
        self._said = folder / f"stderr {hash_seed}"
        path = os.pathsep.join(each or os.getcwd() for each in sys.path)
        with self._said.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND],
                env=os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": str(hash_seed)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._tell(asdict(players))

    def ready(self) -> None:
        """Wait until all is imported. Raises NotImportable."""
        self._hear()

    def live(self, order: Order) -> int:
        """Let a process live until it ends or is killed; its exit code, a signal's negative."""
        self._tell(asdict(order))
        return int(self._hear()["code"])

    def last_words(self, lines: int = 15) -> str:
        """What was last written to the standard error."""
        return "\n".join(self._said.read_text(errors="replace").splitlines()[-lines:])

    def _tell(self, what: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise NotImportable(f"The child process has ended: {self.last_words()}")
        said: dict[str, Any] = json.loads(answer)
        if "error" in said:
            raise NotImportable(f"The child process can't import the project:\n{said['error']}")
        return said

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


# --- in the process that forks ---


def main() -> None:
    """Import what the first line names, then fork a process for each further one."""
    # What the project prints is none of the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    players: dict[str, Any] = json.loads(sys.stdin.readline())
    try:
        project, cast = _imported(players)
    except BaseException:
        _say(answers, error=traceback.format_exc())
        return
    _say(answers, ready=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _live(project, cast, Order(**json.loads(line)))
        _, status = os.waitpid(pid, 0)
        _say(answers, code=os.waitstatus_to_exitcode(status))


def _imported(players: dict[str, Any]) -> tuple[Any, TestCast]:
    for name, file in players["modules"]:
        load_module(name, file)
    project = Place(**players["project"]).load()
    models = {name: Place(**each).load() for name, each in players["models"].items()}
    model = None if players["model"] is None else Place(**players["model"]).load()
    return project, TestCast(project, models, model, live=players["live"])


def _live(project: Any, cast: TestCast, order: Order) -> None:
    """A life. It ends the process, whatever happens, by a signal if it takes too long."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, order.timeout)
        live(project, cast, order)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _say(answers: IO[str], **what: Any) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()
