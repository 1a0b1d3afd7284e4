"""Writes down what this process asks the network for, from its first line on.

Python imports this at its start where the folder is on its path. It hears what Python code does
(PEP 578), in all threads; not what a library in C does by itself.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_SENT = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOOKED_UP = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_file = os.open(os.environ["LAMPWORK_TEST_REACHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _hear(event: str, about: tuple[Any, ...]) -> None:
    if event in _SENT:
        where = about[1]
        said = f"{where[0]}:{where[1]}" if isinstance(where, tuple) else repr(where)
    elif event in _LOOKED_UP:
        said = f"name {about[0]}"
    else:
        return
    os.write(_file, f"{said}\n".encode())


sys.addaudithook(_hear)
