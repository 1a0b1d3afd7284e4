"""One executing process per folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lampwork.errors import FolderInUse, FolderNotWritable


class FolderLock:
    """Held from its making until `release`, or until the process is gone, however it went."""

    def __init__(self, home: Path) -> None:
        """Take the lock. Raises FolderInUse, FolderNotWritable."""
        path = home / "lock"
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise FolderNotWritable(
                f"{home} can't hold the state: {error.strerror}. "
                "Make it writable, or name another folder with --home or LAMPWORK_HOME."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._file, 32).decode().strip() or "?"
            os.close(self._file)
            raise FolderInUse(
                f"Process {pid} executes the jobs of {home}; SQLite takes one such process. "
                "Queue work for it with `lampwork run` without --wait, or use another --home.",
                home=str(home),
                pid=pid,
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another process execute."""
        os.close(self._file)
