"""A quarter's sales report: an orchestrator and four agents, one of which fails."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lampwork import (
    CheckCall,
    Job,
    OrchestrationLimits,
    Project,
    Report,
    SkillCall,
    TaskAnswer,
)

from . import checks, database, playbook
from .figures import Figures, add_up, breakdown

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
async def draw_charts(call: SkillCall) -> str:
    """Draw the charts of figures.json, by region and by product; the Markdown that shows them."""
    from . import charts  # matplotlib takes a second to import, and only this skill needs it

    figures = await _figures(call)
    for name, draw in (("by_region.png", charts.by_region), ("by_product.png", charts.by_product)):
        call.save_artifact(name, await asyncio.to_thread(draw, figures), "image/png")
    return breakdown(figures)


@project.skill(effect="idempotent")
async def write_pdf(summary: str, call: SkillCall) -> str:
    """Make the report as a PDF, of the summary, figures.json and both charts."""
    from . import paper  # reportlab takes a while to import

    figures = await _figures(call)
    if wrong := await asyncio.to_thread(checks.disagreements, figures.quarter, summary):
        raise SummaryRefused(f"this is not the summary that was accepted: {'; '.join(wrong)}")
    charts = [await call.read_file(name) for name in ("by_region.png", "by_product.png")]
    made = await asyncio.to_thread(paper.pdf, summary, figures, *charts)
    return call.save_artifact("report.pdf", made, "application/pdf").name


async def _figures(call: SkillCall) -> Figures:
    return Figures.model_validate_json(await call.read_file("figures.json"))


@project.acceptance_check
def figures_agree(answer: TaskAnswer[Any], call: CheckCall) -> str | None:
    """The figures, answered as `compute_figures` gives them, are those of the database. The
    subtask has an input `quarter`."""
    known = checks.recount(call.inputs["quarter"])
    said = Figures.model_validate(answer.output)
    return None if said == known else f"the database says {known.model_dump_json()}"


@project.acceptance_check
def breakdown_agrees(answer: TaskAnswer[Any], call: CheckCall) -> str | None:
    """The charts are there, and the tables beside them, answered as `draw_charts` gives them, say
    what the database does. The subtask has an input `quarter`."""
    lacks = {"by_region.png", "by_product.png"} - {each.name for each in answer.artifacts}
    if lacks:
        return f"draw {' and '.join(sorted(lacks))}"
    known = breakdown(checks.recount(call.inputs["quarter"]))
    return None if answer.output.strip() == known else "answer with what draw_charts has given you"


@project.acceptance_check
def summary_agrees(answer: TaskAnswer[Any], call: CheckCall) -> list[str]:
    """Every figure of a summary in Markdown is a link to the fact that it is, such as
    [+1.5 %](fact:on_previous:North), and is what the database says. Facts: `net`, `on_previous`
    or `on_last_year` with `all`, a region or a product; `gross`, `refunded`, `unpriced`. The
    subtask has an input `quarter`."""
    return checks.disagreements(call.inputs["quarter"], answer.output)


@project.acceptance_check
async def paper_is_made(answer: TaskAnswer[Any], call: CheckCall) -> str | None:
    """There is a PDF."""
    if "report.pdf" not in call.files:
        return "make report.pdf"
    made = await call.read_file("report.pdf")
    return None if made.startswith(b"%PDF-") else "report.pdf is no PDF"


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
    job_description="You write executive summaries, and make PDFs of them.",
    skills=[write_pdf],
)

sales_lead = project.orchestrator(
    "sales_lead",
    model=playbook.lead,
    job_description="You deliver reports on the sales of a quarter, with charts and an executive "
    "summary, each shown as its agent has answered it.",
    agents=[data, archivist, analyst, writer],
    fallbacks={data: [archivist]},
    limits=OrchestrationLimits(retries=1, backoff=0.1),
)


class Delivered(BaseModel):
    title: str
    files: list[str]
    done_by: dict[str, str]
    """By subtask, the agent that has done it."""


@project.recipe()
async def sales_report(job: Job, quarter: str = "2026-Q2") -> Delivered:
    task = await job.assign_task(
        sales_lead,
        f"Create a {quarter} sales performance report with charts and an executive summary.",
        data={"quarter": quarter},
        output=Report,
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
        title=task.output.title,
        files=files,
        done_by={each.subtask: each.agent for each in task.sections},
    )
