"""What people type on the terminal, before they are asked and then."""

from __future__ import annotations

import contextlib
import importlib
import sys


def drop_typed() -> None:
    """What was typed before a question could be read is no answer to it."""
    with contextlib.suppress(ImportError, OSError):
        termios = importlib.import_module("termios")
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
