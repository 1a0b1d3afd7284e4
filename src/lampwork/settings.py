"""Settings, from arguments, then the environment (`LAMPWORK_HOME`, `LAMPWORK_DB`, …)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lampwork.errors import InputInvalid
from lampwork.place import Folder, Place, Server

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadingCaps:
    """What a file that is given to a task may have, and what reading it may take."""

    file_bytes: int = 50 * MEBIBYTE
    characters: int = 2_000_000
    """Of the text that is taken from it."""
    pages: int = 500
    """Of a PDF."""
    cells: int = 500_000
    """Of a spreadsheet, those that hold something; and rows, held or not."""
    unpacked_bytes: int = 200 * MEBIBYTE
    """Of a spreadsheet or a Word document with all its parts, and of one stream of a PDF."""
    pixels: int = 50_000_000
    """Of an image."""
    memory_bytes: int = 512 * MEBIBYTE
    """Of the process that reads it."""
    cpu_seconds: int = 20
    seconds: int = 60
    """On the clock, for one file."""


_BOUNDS: Mapping[str, tuple[Any, float, str]] = {
    "park_after": (int | float, 0, "seconds, from 0 on"),
    "max_live": (int, 0, "a whole number of jobs, from 0 on"),
    "sweep_interval": (int | float, 0.001, "seconds, from 0.001 on"),
    "heartbeat": (int | float, 0.001, "seconds, from 0.001 on"),
    "grace": (int | float, 0, "seconds, from 0 on"),
}
"""By setting: of which type, from where on, in words."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a process executes jobs."""

    home: Path
    """The folder of the state."""
    db: str | None = None
    """`postgresql://…`: the database that holds the state in place of the folder."""
    model: str | None = None
    """A model id that stands in for every genie's own."""
    park_after: float = 30.0
    """Seconds for which a job that only waits stays in memory."""
    max_live: int = 1000
    """Jobs in memory at the most; beyond it, waiting ones are parked sooner and new ones queue."""
    sweep_interval: float = 5.0
    """Seconds between two looks at whether what is meant to happen does."""
    heartbeat: float = 3.0
    """Seconds between two heartbeats on a server. A process that others have seen without one for
    three of them is gone, and its jobs go on elsewhere."""
    grace: float = 10.0
    """Seconds that running effects get when a job is cancelled or the process closes."""
    reading: ReadingCaps = ReadingCaps()
    """The limits for files that are given to tasks."""
    otel: bool = False
    """Whether spans and metrics are sent by OpenTelemetry, see docs/operations.md."""
    triggers: bool = False
    """Whether the project's triggers fire here. `lampwork worker` lets them; a script that opens
    the project to run one recipe should not start whatever is due."""
    trees: frozenset[str] | None = None
    """Execute those jobs alone that have one of these at the top of their tree, as a verb with
    `--wait` does. Without it all of the project's."""
    kept_code: str | None = None
    """Execute those jobs alone that `lampwork dev` keeps on this code. Without it they are left
    alone."""

    def __post_init__(self) -> None:
        """Raises InputInvalid."""
        if not isinstance(self.home, Path):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputInvalid(f"home={self.home!r} is no folder. Give a pathlib.Path.")
        for name, (kind, least, said) in _BOUNDS.items():
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, kind) or not given >= least:
                raise InputInvalid(f"{name}={given!r} can't be. Give {said}.")

    @property
    def place(self) -> Place:
        """Where the state is."""
        return Folder(self.home) if self.db is None else Server(self.db)

    @classmethod
    def load(cls, *, home: str | Path | None = None, **given: Any) -> Settings:
        """The settings of this process; arguments win: a `home` over LAMPWORK_DB, too."""
        folder = home or os.environ.get("LAMPWORK_HOME") or ".lampwork"
        settings = cls(
            Path(folder).absolute(),
            db=None if home else os.environ.get("LAMPWORK_DB") or None,
            model=os.environ.get("LAMPWORK_MODEL") or None,
            otel=os.environ.get("LAMPWORK_OTEL", "").lower() in ("1", "true", "yes", "on"),
        )
        return replace(
            settings, **{name: value for name, value in given.items() if value is not None}
        )
