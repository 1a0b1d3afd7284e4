"""The messages of a chat that come through a pipe."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from dataclasses import dataclass

_AT_ONCE = 65536
"""Bytes."""


@dataclass(slots=True)
class Piped:
    """Lines, read as they are needed, so that what is left of them can be named."""

    fd: int
    _read: bytes = b""
    _at_end: bool = False

    def lines(self, *, wait: bool = True) -> Iterator[str]:
        """The lines that say something; without a `wait`, those that are there now."""
        while True:
            while b"\n" not in self._read and not self._at_end:
                if not wait and not select.select([self.fd], [], [], 0)[0]:
                    break
                part = os.read(self.fd, _AT_ONCE)
                self._read += part
                self._at_end = not part
            line, newline, self._read = self._read.partition(b"\n")
            if text := line.decode(errors="replace").strip():
                yield text
            if not newline:
                return
