"""Reads a file in a process of its own, which can do little else, and believes little of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, cast

import lampwork
from lampwork.files.kinds import IMAGES, KINDS
from lampwork.files.reads import Broken, Read, over
from lampwork.settings import ReadingCaps

__all__ = ["VERSION", "read"]

VERSION = 1
"""Of what reading gives; a new one lets files that were read before be read again."""

_AT_ONCE = 4
"""Readers at once in this process: with their memory they are as much as it should take."""

_readers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lampwork-reading")

_LIBRARIES = (
    "PIL",
    "_cffi_backend",
    "cffi",
    "cryptography",
    "docx",
    "et_xmlfile",
    "lxml",
    "openpyxl",
    "pypdf",
    "typing_extensions",
)
"""What the readers import that is not Python's own, and what that imports."""

_BEGIN = """
import json, sys
begin = json.loads(sys.argv[1])
sys.path += begin["path"]
from lampwork.files.reader import main
main(begin["caps"])
"""

_NOTES = 2000
"""Characters of all notes and of a problem at the most."""


async def read(content: bytes, caps: ReadingCaps) -> Read:
    """What a file is and says. Raises Broken."""
    reading = _Reading(content, caps)
    try:
        return await asyncio.get_running_loop().run_in_executor(_readers, reading.outcome)
    except asyncio.CancelledError:
        reading.stop(Broken("reading it was stopped"))
        raise


class _Reading:
    """One file, one process."""

    def __init__(self, content: bytes, caps: ReadingCaps) -> None:
        self.content = content
        self.caps = caps
        self.stopped: Broken | None = None
        """Why we ended the process, if we did."""
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Lock()

    def outcome(self) -> Read:
        """Start the process, feed it, hear it, end it. Blocks. Raises Broken."""
        # In JSON a character takes six bytes at the most, or twelve beyond the first 65,536.
        most = 12 * self.caps.characters + 64 * 1024
        with self._started() as process:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                # It reads all before it says anything; one that does not is ended by the clock.
                process.stdin.write(self.content)
                process.stdin.flush()
            with suppress(BrokenPipeError):
                process.stdin.close()
            said = process.stdout.read(most)
        if self.stopped is not None:
            raise self.stopped
        return _judged(said, self.caps, process.returncode)

    def stop(self, why: Broken) -> None:
        """End the process with all below it."""
        with self._ending:
            self.stopped = self.stopped or why
            # Until it is waited for, its id is nobody else's.
            if self._process is not None and self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    @contextmanager
    def _started(self) -> Generator[subprocess.Popen[bytes]]:
        process = self._start()
        clock = threading.Timer(self.caps.seconds, self.stop, [_late(self.caps)])
        clock.daemon = True
        clock.start()
        try:
            with process:
                yield process
                with self._ending:
                    os.killpg(process.pid, signal.SIGKILL)  # it may leave others behind
                    process.wait()
        finally:
            clock.cancel()

    def _start(self) -> subprocess.Popen[bytes]:
        begin = json.dumps({"path": _code(), "caps": asdict(self.caps)})
        with self._ending:
            if self.stopped is not None:
                raise self.stopped
            # -I and -S: no environment, no folder of the user's, no start-up files.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BEGIN, begin],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        return self._process


def _late(caps: ReadingCaps) -> Broken:
    return over("seconds", caps, "reading it takes too many seconds")


def _code() -> list[str]:
    """The folders of our code and of the libraries: the process sees no others but Python's own.

    So not the project's, in which the databases may lie.
    """
    folders = {str(Path(lampwork.__file__).parents[1])}
    for name in _LIBRARIES:
        spec = PathFinder.find_spec(name)
        if spec is not None and spec.origin is not None:
            package = Path(spec.origin)
            folders.add(str(package.parents[1 if spec.submodule_search_locations else 0]))
    return sorted(folders, key=lambda each: sys.path.index(each) if each in sys.path else -1)


def _judged(said: bytes, caps: ReadingCaps, ended: int) -> Read:
    """What the process said, if it is what such a process can say. Raises Broken."""
    try:
        answer: Any = json.loads(said)
        return _read(cast(dict[str, Any], answer), caps)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    if ended == -signal.SIGXCPU:
        raise over("cpu_seconds", caps, "reading it takes too many seconds of CPU")
    if ended == -signal.SIGALRM:  # this process was too busy to end it
        raise _late(caps)
    how = f"was ended by {signal.Signals(-ended).name}" if ended < 0 else "gave no answer"
    raise Broken(f"the process that read it {how}: it is damaged, or made to do that")


def _read(answer: dict[str, Any], caps: ReadingCaps) -> Read:
    if "problem" in answer:
        cap = answer["cap"] if answer["cap"] in asdict(caps) else None
        raise Broken(str(answer["problem"])[:_NOTES], cap)
    kind, text, notes = answer["kind"], answer["text"], [str(each) for each in answer["notes"]]
    if kind not in KINDS or (text is None) != (kind in IMAGES):
        raise ValueError("no such kind")
    if text is not None and not (isinstance(text, str) and len(text) <= caps.characters):
        raise ValueError("no such text")
    if sum(map(len, notes)) > _NOTES:
        raise ValueError("too many notes")
    return Read(kind, text, tuple(notes))
