"""One module per system, each with `PACKAGES` and `opened(place)`; see `System`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Place:
    """Where a system keeps its state."""

    folder: Path
    """Empty, on a real disk."""
    url: str | None
    """Of an empty Postgres database; None: SQLite, or a store of its own, in the folder."""
    server: int | None = None
    """The process of its server that has started all others."""

    @property
    def words(self) -> tuple[str, str, str]:
        """For a command line; `read` reads them."""
        return str(self.folder), self.url or "", str(self.server or "")

    @classmethod
    def read(cls, folder: str, url: str, server: str) -> Place:
        return cls(Path(folder), url or None, int(server) if server else None)


@dataclass(frozen=True)
class Opened:
    run: Callable[[int], Awaitable[object]]
    """Run the recipe for invoice `number`, to its end on disk; gives the archive's line."""
    durability: str
    """As the system's own connection reports it."""
    processes: tuple[int, ...] = ()
    """Of the system beside this one: what they use is its CPU as well."""


class System(Protocol):
    PACKAGES: tuple[str, ...]

    def opened(self, place: Place) -> AbstractAsyncContextManager[Opened]: ...
