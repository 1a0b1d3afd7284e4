"""Processes that start warm: one Python has imported Lampwork, and each command is a fork of it.

A command is a process of its own as ever, with its id, signals, folder, environment and files. What
it saves is the start of an interpreter with all its imports, 0.6 s of 0.7, and most of its end.
What depends on how an interpreter starts (encodings, paths, what is imported when) wants a cold
one, by `subprocess`.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from tests import readymade

from lampwork import failpoint

ROOT = Path(__file__).resolve().parents[1]


class Warm:
    """The Python that forks, from the side of the tests."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lampwork-warm-")
        self._address = f"{self._folder.name}/socket"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self._address)
            listening.listen()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(listening.fileno())],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )

    def start(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        controlled: bool = False,
    ) -> Command:
        """`python` with these words, `-m module …` or `[-W action] file …`; pipes as in subprocess.

        `controlled`: by the terminal that is its stdin, from where Ctrl-C gets to it. An
        environment of which the start depends has a cold one.
        """
        environment = dict(os.environ if env is None else env)
        if _starting(environment) != _starting(os.environ):
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=cwd,
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                text=True,
            )
        line = socket.socket(socket.AF_UNIX)
        line.connect(self._address)
        process = Process(line)
        theirs = [process.end_of(each, at) for at, each in enumerate((stdin, stdout))]
        same = stderr == subprocess.STDOUT
        theirs.append(os.dup(theirs[1]) if same else process.end_of(stderr, 2))
        order = {
            "words": list(words),
            "folder": str(cwd),
            "environment": environment,
            "controlled": controlled,
        }
        socket.send_fds(line, [json.dumps(order).encode() + b"\n"], theirs)
        for each, given in zip(theirs, (stdin, stdout, stderr), strict=True):
            if given < 0:
                os.close(each)
        process.pid = process.hear()
        return process

    def close(self) -> None:
        self._process.communicate()
        self._folder.cleanup()


def _starting(environment: Mapping[str, str]) -> set[tuple[str, str]]:
    """What of an environment only the start of an interpreter looks at."""
    return {each for each in environment.items() if each[0].startswith(("PYTHON", "LC_", "LANG"))}


class Process:
    """A process that was forked, with as much of `subprocess.Popen` as tests use."""

    pid: int

    def __init__(self, line: socket.socket) -> None:
        self.returncode: int | None = None
        self.stdin: IO[str] | None = None
        self.stdout: IO[str] | None = None
        self.stderr: IO[str] | None = None
        self._line = line

    def end_of(self, given: int, at: int) -> int:
        """The file that the process gets for one of its three."""
        if given == subprocess.DEVNULL:
            return os.open(os.devnull, os.O_RDWR)
        if given != subprocess.PIPE:
            return given
        reads, writes = os.pipe()
        if at == 0:
            self.stdin = os.fdopen(writes, "w", encoding="utf-8")
            return reads
        setattr(self, ("stdout", "stderr")[at - 1], os.fdopen(reads, encoding="utf-8"))
        return writes

    def hear(self) -> int:
        """The next number that is said of the process: its id, then its exit code."""
        said = b""
        while not said.endswith(b"\n"):
            part = self._line.recv(1)
            assert part, "the Python that forks has ended"
            said += part
        return int(said)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            with selectors.DefaultSelector() as ended:
                ended.register(self._line, selectors.EVENT_READ)
                if not ended.select(timeout):
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            self.returncode = self.hear()
            self._line.close()
        return self.returncode

    def communicate(
        self, input: str | None = None, timeout: float | None = None
    ) -> tuple[str, str]:
        """What it writes until it has ended."""
        with ThreadPoolExecutor(2) as pool:
            out, err = (pool.submit(_read, each) for each in (self.stdout, self.stderr))
            try:
                self._tell(input)
                self.wait(timeout)
            except BaseException:
                self.kill()
                raise
            return out.result(timeout), err.result(timeout)

    def _tell(self, input: str | None) -> None:
        if self.stdin and not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.write(input or "")
                self.stdin.close()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # its end is being told
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _read(file: IO[str] | None) -> str:
    if file is None or file.closed:
        return ""
    with file:
        return file.read()


Command = Process | subprocess.Popen[str]

# --- in the Python that forks ---


def main() -> None:
    """Have all there is at hand; fork for each order; be what was ordered, in the fork."""
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        _have_all()
        # What is never freed is never written to either: the pages stay those of all forks.
        gc.freeze()
        order = _next_life(listening)
    if order is not None:
        _begin(order)
        if order["words"][0] == "-W":  # it is warned of what is left open at its end, too
            _run(order["words"])
        else:
            _end(_ran(order["words"]))


def _have_all() -> None:
    import lampwork

    for each in pkgutil.walk_packages(lampwork.__path__, "lampwork."):
        if not each.name.endswith((".__main__", ".migrations.env", ".starter.test_project")):
            importlib.import_module(each.name)
    readymade.use()
    readymade.tables()


def _next_life(listening: socket.socket) -> dict[str, Any] | None:
    """In a fork what it was ordered; None in the Python that forks, once the test has gone."""
    lives: dict[int, socket.socket] = {}
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, wakes = socket.socketpair()
    with woken, wakes, selectors.DefaultSelector() as ready:
        for each in (listening, woken, 0):
            ready.register(each, selectors.EVENT_READ)
        woken.setblocking(False)
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        while True:
            events = {key.fileobj for key, _ in ready.select()}
            if woken in events:
                woken.recv(4096)
                _tell_ends(lives)
            if 0 in events:
                for pid in lives:
                    os.kill(pid, signal.SIGKILL)
                return None
            if listening in events:
                line, _ = listening.accept()
                order = _hear_order(line)
                if (pid := os.fork()) == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for each in (line, *lives.values()):
                        each.close()
                    return order
                for file in order["files"]:
                    os.close(file)
                lives[pid] = line
                _say(line, pid)


def _hear_order(line: socket.socket) -> dict[str, Any]:
    said, files, *_ = socket.recv_fds(line, 65536, 3)
    while not said.endswith(b"\n"):
        part = line.recv(65536)
        assert part, "whoever ordered has gone in the middle of it"
        said += part
    return json.loads(said) | {"files": files}


def _tell_ends(lives: dict[int, socket.socket]) -> None:
    while lives:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with lives.pop(pid) as line:
            _say(line, os.waitstatus_to_exitcode(status))


def _say(line: socket.socket, number: int) -> None:
    """Tell a test that may have given up since."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        line.sendall(f"{number}\n".encode())


def _begin(order: dict[str, Any]) -> None:
    """What an interpreter finds when it starts."""
    for at, file in enumerate(order["files"]):
        os.dup2(file, at)
        os.close(file)
    if order["controlled"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", closefd=False)
    importlib.reload(failpoint)  # which looks at the environment when it is imported
    for at, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        buffering = 1 if at == 2 or os.isatty(at) else -1
        file = os.fdopen(at, "w", buffering, "utf-8", errors, closefd=False)
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)


def _ran(words: list[str]) -> int:
    """Run it; the exit code that an interpreter makes of it."""
    try:
        _run(words)
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        print(left.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        return -signal.SIGINT
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _end(code: int) -> None:
    """As an interpreter ends, without taking apart all that was imported: 50 ms of 60."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for each in (sys.stdout, sys.stderr):
        try:
            each.flush()
        except Exception as error:
            print(f"Exception ignored in: {each!r}: {error!r}", file=sys.__stderr__)
            code = 120
    if code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code & 0xFF)


def _run(words: list[str]) -> None:
    if words[0] == "-W":
        warnings.simplefilter(words[1])
        words = words[2:]
    if words[0] == "-m":
        sys.path[0] = os.getcwd()
        sys.argv[:] = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(words[0]).resolve().parent)
        sys.argv[:] = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
