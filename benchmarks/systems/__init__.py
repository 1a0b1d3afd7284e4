"""One module per system, each with `PACKAGES` and `opened(folder)`; see `System`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Opened:
    run: Callable[[int], Awaitable[object]]
    """Run the recipe for invoice `number`, to its end on disk; gives the archive's line."""
    durability: str
    """As the system's own connection reports it."""


class System(Protocol):
    PACKAGES: tuple[str, ...]

    def opened(self, folder: Path) -> AbstractAsyncContextManager[Opened]: ...
