"""Reports: what an orchestrator delivers as one page, made of what its subtasks have come to.

task = await job.assign_task(lead, "Report on Q2.", output=Report)
page = await job.read_artifact(task.artifacts[0])
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from lampwork.genies.output import Output
from lampwork.types import Json

__all__ = ["Report", "ReportSection", "is_report", "report_in"]


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
