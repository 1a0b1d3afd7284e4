"""A quarter's sales report: an orchestrator and four agents, one of which fails."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lampwork import Job, OrchestrationLimits, Project, SkillCall, TaskAnswer

from . import checks, database, playbook
from .checks import Summary
from .figures import Figures, add_up

project = Project("sales")


class Extract(BaseModel):
    file: str
    rows: int


class SummaryRefused(Exception):
    """It says something else than the database."""


@project.skill(effect="idempotent", give_up_after=2)
def query(sql: str, save_as: str, call: SkillCall) -> Extract:
    """Ask the sales database with one SELECT, and save what it finds as a CSV file.

    Tables: orders (id, day, region, product, units, unit_cents), where region and unit_cents may
    be null, and returns (id, order_id, day, units). At most 500 rows.
    """
    found = database.query(sql)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([found.columns, *found.rows])
    call.save_artifact(save_as, text.getvalue().encode(), "text/csv")
    return Extract(file=save_as, rows=len(found.rows))


@project.skill(effect="idempotent")
async def compute_figures(quarter: str, call: SkillCall) -> Figures:
    """Compute totals and growth of a quarter such as 2026-Q2 from sales.csv and returns.csv."""
    sales, returns = [await call.read_file(name) for name in ("sales.csv", "returns.csv")]
    figures = add_up(quarter, sales.decode(), returns.decode())
    call.save_artifact("figures.json", figures.model_dump_json().encode(), "application/json")
    return figures


@project.skill(effect="idempotent")
async def draw_charts(call: SkillCall) -> list[str]:
    """Draw the charts of figures.json, by region and by product."""
    from . import charts  # matplotlib takes a second to import, and only this skill needs it

    figures = await _figures(call)
    for name, draw in (("by_region.png", charts.by_region), ("by_product.png", charts.by_product)):
        call.save_artifact(name, await asyncio.to_thread(draw, figures), "image/png")
    return ["by_region.png", "by_product.png"]


@project.skill(effect="idempotent")
async def write_page(summary: Summary, call: SkillCall) -> str:
    """Make the report as one HTML page, of the summary, figures.json and both charts."""
    from . import report  # reportlab takes a while to import

    made = report.html(await _report(summary, call))
    return call.save_artifact("report.html", made, "text/html").name


@project.skill(effect="idempotent")
async def write_pdf(summary: Summary, call: SkillCall) -> str:
    """Make the report as a PDF, of the summary, figures.json and both charts."""
    from . import report

    made = await asyncio.to_thread(report.pdf, await _report(summary, call))
    return call.save_artifact("report.pdf", made, "application/pdf").name


async def _report(summary: Summary, call: SkillCall) -> Any:
    from .report import Report

    if wrong := await asyncio.to_thread(checks.disagreements, summary):
        raise SummaryRefused(f"this is not the summary that was accepted: {'; '.join(wrong)}")
    charts = [await call.read_file(name) for name in ("by_region.png", "by_product.png")]
    return Report(summary, await _figures(call), *charts)


async def _figures(call: SkillCall) -> Figures:
    return Figures.model_validate_json(await call.read_file("figures.json"))


@project.acceptance_check
def figures_agree(answer: TaskAnswer[Any]) -> str | None:
    """The figures, answered as `compute_figures` gives them, are those of the database."""
    said = Figures.model_validate(answer.output)
    known = checks.recount(said.quarter)
    return None if said == known else f"the database says {known.model_dump_json()}"


@project.acceptance_check
def summary_agrees(answer: TaskAnswer[Any]) -> list[str]:
    """Every figure of a summary is cited for what it is, and is what the database says: an output
    of {quarter, statements: [{text, cited: [{fact, shown}]}]}, as `write_page` takes it."""
    return checks.disagreements(Summary.model_validate(answer.output))


@project.acceptance_check
def report_is_whole(answer: TaskAnswer[Any]) -> str | None:
    """There is a page, and a PDF."""
    lacks = {"report.html", "report.pdf"} - {each.name for each in answer.artifacts}
    return f"make {' and '.join(sorted(lacks))}" if lacks else None


data = project.genie(
    "data",
    model=playbook.data,
    job_description="You extract sales from the database.",
    skills=[query],
)
archivist = project.genie(
    "archivist",
    model=playbook.archivist,
    job_description="You extract sales from the database, with small queries that take no time.",
    skills=[query],
)
analyst = project.genie(
    "analyst",
    model=playbook.analyst,
    job_description="You compute totals and growth, and draw charts. Answer with what your skill "
    "gives you.",
    skills=[compute_figures, draw_charts],
)
writer = project.genie(
    "writer",
    model=playbook.writer,
    job_description="You write executive summaries, and make reports of them.",
    skills=[write_page, write_pdf],
)

sales_lead = project.orchestrator(
    "sales_lead",
    model=playbook.lead,
    job_description="You deliver reports on the sales of a quarter, with charts and an executive "
    "summary.",
    agents=[data, archivist, analyst, writer],
    fallbacks={data: [archivist]},
    limits=OrchestrationLimits(retries=1, backoff=0.1),
)


class Delivered(BaseModel):
    summary: str
    files: list[str]
    done_by: dict[str, str]
    """By subtask, the agent that has done it."""


@project.recipe()
async def sales_report(job: Job, quarter: str = "2026-Q2") -> Delivered:
    task = await job.assign_task(
        sales_lead,
        f"Create a {quarter} sales performance report with charts and an executive summary.",
        data={"quarter": quarter},
    )
    folder = Path(os.environ.get("REPORTS", "reports")) / quarter
    files: list[str] = []
    for artifact in task.artifacts:
        if artifact.name.startswith("report."):
            content = await job.read_artifact(artifact)

            def deliver(path: Path = folder / artifact.name, content: bytes = content) -> None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

            await job.step(deliver)
            files.append(str(folder / artifact.name))
    return Delivered(
        summary=task.response,
        files=files,
        done_by={each.subtask: each.agent for each in task.sections},
    )
