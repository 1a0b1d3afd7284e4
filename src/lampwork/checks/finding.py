"""One thing that `check` has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["GRAVITY", "Finding", "Severity"]

Severity = Literal["error", "warning", "note"]

GRAVITY: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that `check` has found."""

    code: str
    severity: Severity
    """`error`: it will fail; `warning`: it is likely a mistake; `note`: good to know."""
    message: str
    mend: str
    """What to do about it."""
    file: str | None = None
    line: int | None = None
