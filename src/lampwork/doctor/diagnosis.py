"""What an examination finds: one thing, whether it is well, and the mend if it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Diagnosis", "State", "ok", "problem", "warning"]

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at."""

    about: str
    """`folder`, `model` and so on; several may be about the same."""
    state: State
    """`problem`: it keeps something from working; `warning`: it may, or it will."""
    message: str
    mend: str | None
    """What to do about it; None if it is well."""


def ok(about: str, message: str) -> Diagnosis:
    """It is well."""
    return Diagnosis(about, "ok", message, None)


def warning(about: str, message: str, mend: str) -> Diagnosis:
    """It works, and may not for long, or not for all."""
    return Diagnosis(about, "warning", message, mend)


def problem(about: str, message: str, mend: str) -> Diagnosis:
    """It keeps something from working."""
    return Diagnosis(about, "problem", message, mend)
