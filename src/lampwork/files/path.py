"""What a path of this machine leads to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lampwork.files.reads import Broken, over
from lampwork.settings import ReadingCaps

__all__ = ["content_of"]


def content_of(path: Path, caps: ReadingCaps | None = None) -> bytes:
    """The content of an ordinary file, no larger than the caps allow. Blocks. Raises Broken."""
    try:
        # Not blocking: who opens a pipe waits for its other end.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                what = "a folder" if stat.S_ISDIR(facts.st_mode) else "no ordinary file"
                raise Broken(f"it is {what}")
            if caps is None:
                return file.read()
            if facts.st_size > caps.file_bytes:
                raise over("file_bytes", caps, f"it has {facts.st_size:,} bytes")
            return file.read(caps.file_bytes + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise Broken(f"it can't be opened: {why}") from error
