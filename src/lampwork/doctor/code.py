"""The project's definitions, by what `check` finds in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lampwork.doctor.diagnosis import Diagnosis, ok, problem, warning

if TYPE_CHECKING:
    from lampwork.project import Project

_OF_MODELS = ("model_unknown", "model_key_missing")
"""Findings that are told of each model, with more to say."""


def in_code(project: Project, check: str) -> Iterator[Diagnosis]:
    """One line; the command `check` has the places and the mends."""
    found = [each for each in project.check() if each.code not in _OF_MODELS]
    counts = Counter(each.severity for each in found)
    mend = f"Type: {check}"
    if counts["error"]:
        first = next(each for each in found if each.severity == "error")
        said = f"{project.name} has {_counted(counts['error'], 'error')}: {first.message}"
        yield problem("project", said, mend)
    elif counts["warning"]:
        said = f"{project.name} can be imported, and has {_counted(counts['warning'], 'warning')}."
        yield warning("project", said, mend)
    else:
        yield ok("project", f"{project.name} can be imported, and has no mistakes.")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
