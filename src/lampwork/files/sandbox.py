"""What the process that reads a file may not do. It confines itself before it sees a byte of it.

Three walls, each for what the others let through: the kernel's limits on memory, CPU and files; a
network of its own with nothing in it, where the kernel grants one to an ordinary user (Linux, but
some containers and distributions refuse it); and a hook that refuses, to Python code, sockets,
processes, native calls, writing, and reading anything but the code of the installation. The hook
does not bind native code that was taken over: against that stand the other two.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import Any

from lampwork.settings import ReadingCaps

_FILES = 32
"""Open files: the readers' code is loaded through them."""

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
"""CLONE_NEWUSER and CLONE_NEWNET of Linux's `sched.h`."""

_REFUSED = (
    "ctypes.",
    "fcntl.",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.spawn",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "pty.",
    "resource.",
    "shutil.",
    "signal.",
    "socket.",
    "sqlite3.",
    "subprocess.",
    "tempfile.",
)
"""Beginnings of the audit events that are refused: docs.python.org/3/library/audit_events.html."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def confine(caps: ReadingCaps) -> None:
    """Give up, for good, all that reading a file does not need."""
    signal.alarm(caps.seconds + 1)  # should nobody be left who ends this process
    leave_network()
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_NPROC, 0),  # not for root, whom the hook must stop
        (resource.RLIMIT_AS, caps.memory_bytes),
    ):
        resource.setrlimit(limit, (most, most))
    # SIGXCPU at the first, by which we know; SIGKILL at the second.
    resource.setrlimit(resource.RLIMIT_CPU, (caps.cpu_seconds, caps.cpu_seconds + 1))
    sys.addaudithook(_hook(tuple(os.path.join(path, "") for path in sys.path)))


def leave_network() -> bool:
    """Move to a network without anything in it; False where the kernel does not grant one."""
    import ctypes

    unshare: Any = getattr(ctypes.CDLL(None), "unshare", None)
    return unshare is not None and unshare(_NEW_USER | _NEW_NETWORK) == 0


def _hook(code: tuple[str, ...]) -> Any:
    """An audit hook that lets files below these folders be read, and little else happen."""

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            readable = isinstance(path, str) and os.path.abspath(path).startswith(code)
            if not readable or flags & _WRITING:
                raise PermissionError(f"a file's reader may not open {path!r}")
        elif event.startswith(_REFUSED):
            raise PermissionError(f"a file's reader may not do this: {event}")

    return refuse
