"""A child process that does not outlive its parent, however that ended.

Each holds an end of a pair of sockets, on which the child may tell something as well.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from contextlib import suppress
from typing import Any


class Lifeline:
    """The parent's end. Give `theirs` to the child as `--lifeline`, then `close` that."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()

    @property
    def theirs(self) -> int:
        """The child's end, as a file descriptor to pass on."""
        return self._theirs.fileno()

    def let_go(self) -> None:
        """Close the child's end here, once the child has it."""
        self._theirs.close()

    def hear(self) -> dict[str, Any] | None:
        """What the child tells; None when it has ended without a word. Blocks."""
        with self._ours.makefile("r", encoding="utf-8") as heard:
            line = heard.readline()
        return json.loads(line) if line.endswith("\n") else None

    def close(self) -> None:
        """Cut it."""
        self._ours.close()


def hold(fd: int) -> socket.socket:
    """In the child: end in order when the parent is gone. What to tell it goes to `tell`."""
    held = socket.socket(fileno=fd)
    held.set_inheritable(False)
    threading.Thread(target=_await_end, args=(held,), name="lifeline", daemon=True).start()
    return held


def tell(held: socket.socket, **message: Any) -> None:
    """In the child: tell the parent something."""
    with suppress(OSError):  # it is gone, and so will be this process
        held.sendall(json.dumps(message).encode() + b"\n")


def _await_end(held: socket.socket) -> None:
    while held.recv(1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
