"""The scripted team that stands in for models: it plans, asks the database, and writes.

`data` makes a mistake that models make too: it wants running totals, and compares every order with
every earlier one. That computes for minutes, so the query is stopped, and `archivist` takes over.
"""

from __future__ import annotations

from typing import Any

from lampwork import Answer, Call, Calls, CannotComplete, Turn, playbook

from . import checks
from .figures import Figures, Line, compared

EXTRACT: dict[str, Any] = {
    "type": "object",
    "properties": {"file": {"type": "string"}, "rows": {"type": "integer"}},
    "required": ["file", "rows"],
}
QUARTER = {"name": "quarter", "request": "data", "field": "quarter"}

PLAN: list[dict[str, Any]] = [
    {
        "id": "sales",
        "title": "Orders of the quarters",
        "agent": "data",
        "brief": "Save as sales.csv what was sold in the quarter, the one before and the same one "
        "a year ago: quarter, region, product, cents, unpriced.",
        "inputs": [QUARTER],
        "output": EXTRACT,
    },
    {
        "id": "returns",
        "title": "Returns of the quarters",
        "agent": "data",
        "brief": "Save as returns.csv what was refunded in the quarter, the one before and the "
        "same one a year ago: quarter, region, product, cents.",
        "inputs": [QUARTER],
        "output": EXTRACT,
    },
    {
        "id": "figures",
        "title": "Totals and growth",
        "agent": "analyst",
        "brief": "Compute the figures of the quarter.",
        "inputs": [
            QUARTER,
            {"name": "sales", "subtask": "sales", "artifact": "sales.csv"},
            {"name": "returns", "subtask": "returns", "artifact": "returns.csv"},
        ],
        "output": Figures.model_json_schema(),
        "checks": ["figures_agree"],
    },
    {
        "id": "charts",
        "title": "Charts by region and product",
        "agent": "analyst",
        "brief": "Draw the charts of the figures.",
        "inputs": [{"name": "figures", "subtask": "figures", "artifact": "figures.json"}],
    },
    {
        "id": "summary",
        "title": "Executive summary",
        "agent": "writer",
        "brief": "Write an executive summary of the figures. Cite every figure.",
        "inputs": [{"name": "figures", "subtask": "figures"}],
        "output": checks.Summary.model_json_schema(),
        "checks": ["summary_agrees"],
    },
    {
        "id": "report",
        "title": "Report",
        "agent": "writer",
        "brief": "Make the report of the summary, as a page and as a PDF.",
        "inputs": [
            {"name": "summary", "subtask": "summary"},
            {"name": "figures", "subtask": "figures", "artifact": "figures.json"},
            {"name": "charts", "subtask": "charts"},
        ],
        "checks": ["report_is_whole"],
    },
]
"""The plan, as a model gives it."""


@playbook
def lead(turn: Turn) -> Call | Answer | CannotComplete:
    if not turn.results:
        return Call("plan", subtasks=PLAN)
    found = {each["subtask"]: each for each in turn.results[-1].value["subtasks"]}
    if missing := [each for each in found if found[each]["status"] != "succeeded"]:
        return CannotComplete("the report lacks a part", missing=missing)
    said = " ".join(each["text"] for each in found["summary"]["output"]["statements"])
    return Answer(f"{said} The report is in report.html and report.pdf.")


RUNNING = """
    select a.day, sum(b.units * b.unit_cents), count(c.id)
    from orders a join orders b on b.day <= a.day join orders c on c.day <= b.day
    group by a.day
"""


@playbook
def data(turn: Turn) -> Call | Answer:
    if turn.results and turn.results[-1].error is None:
        return Answer(turn.results[-1].value)
    if "sold" in turn.instructions:
        return Call("query", sql=sold(turn.data["quarter"]), save_as="sales.csv")
    return Call("query", sql=RUNNING, save_as="returns.csv")


@playbook
def archivist(turn: Turn) -> Call | Answer:
    if turn.results:
        return Answer(turn.results[-1].value)
    wanted = sold if "sold" in turn.instructions else refunded
    name = "sales.csv" if "sold" in turn.instructions else "returns.csv"
    return Call("query", sql=wanted(turn.data["quarter"]), save_as=name)


def sold(quarter: str) -> str:
    return f"""
        select {_quarter_of("day")} as quarter, coalesce(region, 'unknown') as region, product,
            sum(units * coalesce(unit_cents, 0)) as cents, sum(unit_cents is null) as unpriced
        from orders where quarter in {compared(quarter)}
        group by 1, 2, 3 order by 1, 2, 3
    """


def refunded(quarter: str) -> str:
    return f"""
        select {_quarter_of("returns.day")} as quarter, coalesce(region, 'unknown') as region,
            product, sum(returns.units * coalesce(unit_cents, 0)) as cents
        from returns join orders on orders.id = returns.order_id
        where quarter in {compared(quarter)}
        group by 1, 2, 3 order by 1, 2, 3
    """


def _quarter_of(day: str) -> str:
    return f"strftime('%Y', {day}) || '-Q' || ((strftime('%m', {day}) + 2) / 3)"


@playbook
def analyst(turn: Turn) -> Call | Answer:
    if turn.results:
        return Answer(turn.results[-1].value)
    if "charts" in turn.instructions:
        return Call("draw_charts")
    return Call("compute_figures", quarter=turn.data["quarter"])


@playbook
def writer(turn: Turn) -> Calls | Answer:
    if "summary" not in turn.data:
        return Answer(summarised(Figures.model_validate(turn.data["figures"])))
    if turn.results:
        return Answer("The report is made.")
    summary = turn.data["summary"]
    return Calls(Call("write_page", summary=summary), Call("write_pdf", summary=summary))


def summarised(figures: Figures) -> dict[str, Any]:
    """Three sentences: the whole, then the region and the product that grew the most."""
    quarter, previous, last_year = compared(figures.quarter)
    whole = (
        f"Net sales of {quarter} came to {{net:all}}, {{on_previous:all}} on {previous} "
        f"and {{on_last_year:all}} on {last_year}."
    )
    statements = [_stated(whole, figures.total)]
    for of, lines in (("regions", figures.regions), ("products", figures.products)):
        known = [line for line in lines if line.name != "unknown"]
        best = max(known, key=lambda line: line.now / line.last_year)
        text = (
            f"{best.name} did best of all {of} within a year: "
            f"{{on_last_year:{best.name}}}, to {{net:{best.name}}}."
        )
        statements.append(_stated(text, best))
    return {"quarter": quarter, "statements": statements}


def _stated(text: str, line: Line) -> dict[str, Any]:
    """A statement with the figures of a line in the place of their names."""
    shown = checks.facts_of(line)
    cited = [fact for fact in shown if f"{{{fact}}}" in text]
    for fact in cited:
        text = text.replace(f"{{{fact}}}", shown[fact])
    return {"text": text, "cited": [{"fact": fact, "shown": shown[fact]} for fact in cited]}
