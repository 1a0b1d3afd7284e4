"""The scripted team that stands in for models: it plans, asks the database, and writes.

`data` makes a mistake that models make too: it wants running totals, and compares every order with
every earlier one. That computes for minutes, so the query is stopped, and `archivist` takes over.
"""

from __future__ import annotations

from typing import Any

from lampwork import Answer, Call, CannotComplete, Turn, playbook

from . import checks
from .figures import Figures, compared

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
        "title": "Sales by region and product",
        "agent": "analyst",
        "brief": "Draw the charts of the figures, with their tables.",
        "inputs": [
            QUARTER,
            {"name": "figures", "subtask": "figures", "artifact": "figures.json"},
        ],
        "checks": ["breakdown_agrees"],
    },
    {
        "id": "summary",
        "title": "Executive summary",
        "agent": "writer",
        "brief": "Write an executive summary of the quarter in Markdown. Each figure is a link to "
        "its fact, such as [EUR 1,234.50](fact:net:North).",
        "inputs": [QUARTER, {"name": "figures", "subtask": "figures"}],
        "checks": ["summary_agrees"],
    },
    {
        "id": "paper",
        "title": "Report as a PDF",
        "agent": "writer",
        "brief": "Make a PDF of the summary.",
        "inputs": [
            {"name": "summary", "subtask": "summary"},
            {"name": "figures", "subtask": "figures", "artifact": "figures.json"},
            {"name": "charts", "subtask": "charts"},
        ],
        "checks": ["paper_is_made"],
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
    return Answer(
        {
            "title": f"Sales performance {turn.data['quarter']}",
            "sections": [{"subtask": "summary"}, {"subtask": "charts"}],
        }
    )


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
def writer(turn: Turn) -> Call | Answer:
    if turn.results:
        return Answer("The PDF is made.")
    if "summary" in turn.data:
        return Call("write_pdf", summary=turn.data["summary"])
    return Answer(summarised(Figures.model_validate(turn.data["figures"])))


def summarised(figures: Figures) -> str:
    """Three sentences: the whole, then the region and the product that grew the most."""
    quarter, previous, last_year = compared(figures.quarter)
    said = [
        f"Net sales of {quarter} came to {{net:all}}, {{on_previous:all}} on {previous} "
        f"and {{on_last_year:all}} on {last_year}."
    ]
    lines = [figures.total]
    for of, candidates in (("regions", figures.regions), ("products", figures.products)):
        known = [line for line in candidates if line.name != "unknown"]
        best = max(known, key=lambda line: line.now / line.last_year)
        lines.append(best)
        said.append(
            f"{best.name} did best of all {of} within a year: "
            f"{{on_last_year:{best.name}}}, to {{net:{best.name}}}."
        )
    text = "\n\n".join(said)
    for fact, shown in (each for line in lines for each in checks.facts_of(line).items()):
        text = text.replace(f"{{{fact}}}", f"[{shown}](fact:{fact})")
    return text
