"""SIGTERM and Ctrl-C: the first asks for an orderly end, the second ends the process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager

INTERRUPTED = 128 + signal.SIGINT
"""The exit code of what was ended by Ctrl-C."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_on_next() -> None:
    """Have the next signal end the process, from this moment on and whatever runs then."""
    for each in _SIGNALS:
        signal.signal(each, lambda number, _: os._exit(128 + number))


@contextmanager
def stop_signals() -> Generator[asyncio.Event]:
    """An event that the first signal sets; inside a running event loop."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop(number: int) -> None:
        if stopped.is_set():
            os._exit(128 + number)
        stopped.set()

    for each in _SIGNALS:
        loop.add_signal_handler(each, stop, each)
    try:
        yield stopped
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)
