"""Settings, from arguments, then the environment (`LAMPWORK_HOME`, `LAMPWORK_MODEL`)."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """How a process executes jobs."""

    home: Path
    """The folder of the state."""
    model: str | None = None
    """A model id that stands in for every genie's own."""
    park_after: float = 30.0
    """Seconds for which a job that only waits stays in memory."""
    max_live: int = 1000
    """Jobs in memory at the most; beyond it, waiting ones are parked sooner and new ones queue."""
    sweep_interval: float = 5.0
    """Seconds between two looks at whether what is meant to happen does."""
    grace: float = 10.0
    """Seconds that running effects get when a job is cancelled or the process closes."""

    @classmethod
    def load(cls, *, home: str | Path | None = None, **given: Any) -> Settings:
        """The settings of this process; arguments win."""
        folder = home or os.environ.get("LAMPWORK_HOME") or ".lampwork"
        settings = cls(Path(folder).absolute(), model=os.environ.get("LAMPWORK_MODEL") or None)
        return replace(
            settings, **{name: value for name, value in given.items() if value is not None}
        )
