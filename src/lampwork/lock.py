"""One executing process per folder."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from lampwork.errors import FolderInUse, FolderNotWritable

_LOCK = "lock"
_CHARGE = "dev"

_PATIENCE = 10.0
"""Seconds for which those are waited for who only look."""

_TRIES = 3
"""How often another process must be found to have it."""

_PAUSE = 0.01
"""Seconds between two tries."""

BETWEEN = "it executes nothing at the moment, but loads code, or asks something in its terminal."
"""What `lampwork dev` does when it has charge of a folder, and none of its workers executes."""


class FolderLock:
    """Held from its making until `release`, or until the process is gone, however it went."""

    def __init__(self, home: Path) -> None:
        """Take the lock. Raises FolderInUse, FolderNotWritable."""
        path = home / _LOCK
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise FolderNotWritable(
                f"{home} can't hold the state: {error.strerror}. "
                "Make it writable, or name another folder with --home or LAMPWORK_HOME."
            ) from error
        try:
            self._take(home)
        except BaseException:
            os.close(self._file)
            raise

    def _take(self, home: Path) -> None:
        if not _take(self._file):
            pid = _pid_in(self._file)
            raise FolderInUse(
                f"Process {pid} executes the jobs of {home}; SQLite takes one such process. "
                "Queue work for it with `lampwork run` without --wait, or use another --home.",
                home=str(home),
                pid=pid,
            )
        dev = in_charge(home)
        if dev is not None and dev not in (str(os.getpid()), str(os.getppid())):
            raise _has_charge(home, dev)
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another process execute."""
        os.close(self._file)


class Charge:
    """Held by a process whose children alone may execute in a folder, one after the other."""

    def __init__(self, home: Path) -> None:
        """Take charge of a folder that is there. Raises FolderInUse."""
        self._file = os.open(home / _CHARGE, os.O_RDWR | os.O_CREAT, 0o644)
        if not _take(self._file):
            pid = _pid_in(self._file)
            os.close(self._file)
            raise _has_charge(home, pid)
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let any process execute."""
        os.close(self._file)


def _has_charge(home: Path, pid: str) -> FolderInUse:
    return FolderInUse(
        f"`lampwork dev` (process {pid}) has charge of {home}: {BETWEEN} "
        "Queue work for it with `lampwork run` without --wait, or use another --home.",
        home=str(home),
        pid=pid,
    )


def holder(home: Path) -> str | None:
    """The id of the process that holds the lock, as it says; None if no process does.

    Only looks, and creates nothing. Raises OSError when the file can't be read.
    """
    return _holder(home / _LOCK)


def in_charge(home: Path) -> str | None:
    """The id of the process whose children alone may execute, as `holder`."""
    return _holder(home / _CHARGE)


def _holder(path: Path) -> str | None:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(file)
    else:
        return None
    finally:
        os.close(file)


def _take(file: int) -> bool:
    """Take the lock, unless another process has it.

    Who looks for its holder has it as well, but shared, and is waited for: that takes some
    microseconds, or as long as a busy machine lets somebody rest there.
    """
    until, held = time.monotonic() + _PATIENCE, 0
    while held < _TRIES and time.monotonic() < until:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        held += _is_held(file)
        time.sleep(_PAUSE)
    return False


def _is_held(file: int) -> bool:
    """Whether somebody has the lock alone."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _pid_in(file: int) -> str:
    return os.read(file, 32).decode().strip() or "?"
