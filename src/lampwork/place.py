"""Where the state of projects is kept: in a folder, or in a database on a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

__all__ = ["Folder", "Place", "Server"]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with two SQLite files, for the processes of one machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Server:
    """A Postgres database, for as many machines as reach it."""

    url: str
    """`postgresql://user:password@host:port/database`."""

    def __str__(self) -> str:
        """The URL without its password, for people and logs."""
        parts = urlsplit(self.url)
        user, at, host = parts.netloc.rpartition("@")
        name = user.partition(":")[0]
        return urlunsplit((parts.scheme, f"{name}{at}{host}", parts.path, "", ""))


Place = Folder | Server
"""One or the other."""
