"""Reports: what an orchestrator delivers as one page, made of what its subtasks have come to.

task = await job.assign_task(lead, "Report on Q2.", output=Report)
page = await job.read_artifact(task.artifacts[0])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from lampwork.errors import one_of
from lampwork.genies.output import Output
from lampwork.orchestrators.markdown import images_in
from lampwork.types import Json

__all__ = ["Report", "ReportSection", "is_report", "problems_of_report", "report_in"]


class ReportSection(BaseModel):
    """A part of a report: what one subtask has come to.

    >>> ReportSection(subtask="charts", title="By region")
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    subtask: str = Field(description="The id of the subtask whose work it shows.")
    title: str | None = Field(
        default=None, min_length=1, description="Its heading, if not the subtask's title."
    )
    text: str | None = Field(
        default=None,
        description="Markdown in the place of what the subtask has answered. Without it the answer "
        "is shown as it is, so that nothing gets lost or altered. Its images are shown either way.",
    )


class Report(BaseModel):
    """A report. It is made into one HTML page, with the images of the subtasks in it.

    Markdown shows an image of a subtask by its name: ![Sales by region](by_region.png).
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, description="What it is about, in a few words.")
    summary: str = Field(
        default="", description="Markdown that comes before all sections, if there is any to say."
    )
    sections: list[ReportSection] = Field(
        default=[],
        description="What is shown, in this order. Without any: each subtask that has succeeded.",
    )


def is_report(output: Output | None) -> bool:
    """Whether this type of answer is a report, or a kind of one."""
    kind: Any = None if output is None else output.annotation
    return isinstance(kind, type) and issubclass(kind, Report)


def report_in(answer: dict[str, Json]) -> Report:
    """The report that an answer is; a kind of report of one's own may have more fields."""
    known = {name: answer[name] for name in Report.model_fields if name in answer}
    return Report.model_validate(known)


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
