"""Whether a report shows what the subtasks of its orchestration have produced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lampwork.errors import one_of
from lampwork.genies.report import Report
from lampwork.orchestrators.markdown import images_in

__all__ = ["problems_of_report"]


def problems_of_report(report: Report, subtasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with a report of what became of these subtasks, as phrases for its author."""
    succeeded = {each["subtask"]: each for each in subtasks if each["status"] == "succeeded"}
    others = {each["subtask"]: each["status"] for each in subtasks if each["status"] != "succeeded"}
    images = [name for each in succeeded.values() for name in each["artifacts"]]
    found = list(_lacking("summary", report.summary, images))
    for place, section in enumerate(report.sections):
        where = f"sections.{place}"
        if section.subtask in others:
            ended = "was skipped" if others[section.subtask] == "skipped" else "has failed"
            found.append(f'{where}: subtask "{section.subtask}" {ended} and has nothing to show')
        elif section.subtask not in succeeded:
            meant = one_of(section.subtask, succeeded).rstrip(".")
            found.append(f'{where}: there is no subtask "{section.subtask}". {meant}')
        found += _lacking(f"{where}.text", section.text or "", images)
    return found


def _lacking(where: str, text: str, images: Sequence[str]) -> Iterator[str]:
    for name in images_in(text):
        if name not in images:
            meant = one_of(name, images).rstrip(".")
            yield f'{where}: no subtask has saved an image "{name}". {meant}'
