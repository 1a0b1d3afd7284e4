"""What the database says a quarter came to, and whether a summary says the same.

It shares no figure with the agents: it asks the tables by days, where they ask by quarters.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

from pydantic import BaseModel, Field

from .database import query
from .figures import Figures, Line, compared, growth, money

_MOVED = """
    select coalesce(region, 'unknown') as region, product, units * coalesce(unit_cents, 0) as sold,
        0 as refunded, unit_cents is null as unpriced, day
    from orders
    union all
    select coalesce(region, 'unknown'), product, 0,
        returns.units * coalesce(unit_cents, 0), 0, returns.day
    from returns join orders on orders.id = order_id
"""


class Cited(BaseModel):
    fact: str = Field(
        description="`net`, `on_previous` or `on_last_year`, then a colon and `all`, "
        "a region or a product; or `gross`, `refunded` or `unpriced`."
    )
    shown: str = Field(description="As the sentence has it: EUR 1,234.50, +1.5 %, or a number.")


class Statement(BaseModel):
    text: str
    cited: list[Cited] = Field(description="Every figure that the text has.")


class Summary(BaseModel):
    """An executive summary that says of each figure what it is."""

    quarter: str
    statements: list[Statement] = Field(min_length=1)


def recount(quarter: str) -> Figures:
    """The figures of a quarter by the database."""
    net: dict[str, Counter[tuple[str, str]]] = {"region": Counter(), "product": Counter()}
    sums: Counter[str] = Counter()
    for each in compared(quarter):
        days = "select * from (" + _MOVED + ") where day >= ? and day < ?"
        found = query(
            "select region, product, sum(sold), sum(refunded), sum(unpriced)"
            f" from ({days}) group by region, product",
            _days(each),
        )
        for region, product, sold, refunded, unpriced in found.rows:
            net["region"][region, each] += sold - refunded
            net["product"][product, each] += sold - refunded
            if each == quarter:
                sums.update(gross=sold, refunded=refunded, unpriced=unpriced)
    regions, products = (_lines(quarter, net[by]) for by in ("region", "product"))
    total = [sum(getattr(line, when) for line in products) for when in _WHEN]
    return Figures(
        quarter=quarter,
        **{name: sums[name] for name in ("gross", "refunded", "unpriced")},
        total=Line(name="all", **dict(zip(_WHEN, total, strict=True))),
        regions=regions,
        products=products,
    )


_WHEN = ("now", "previous", "last_year")


def facts(of: Figures) -> dict[str, str]:
    """Every fact that a summary may cite, as it must be shown."""
    found = {
        "gross": money(of.gross),
        "refunded": money(of.refunded),
        "unpriced": str(of.unpriced),
    }
    for line in (of.total, *of.regions, *of.products):
        found |= facts_of(line)
    return found


def facts_of(line: Line) -> dict[str, str]:
    """The facts of one line."""
    return {
        f"net:{line.name}": money(line.now),
        f"on_previous:{line.name}": growth(line.now, line.previous),
        f"on_last_year:{line.name}": growth(line.now, line.last_year),
    }


def disagreements(summary: Summary) -> list[str]:
    """Where a summary does not say what the database does: nothing if it does."""
    known, wrong = facts(recount(summary.quarter)), list[str]()
    cited = {each.fact for statement in summary.statements for each in statement.cited}
    for fact in ("net:all", "on_previous:all", "on_last_year:all"):
        if fact not in cited:
            wrong.append(f'"{fact}" is missing')
    for statement in summary.statements:
        left = statement.text
        for each in statement.cited:
            if each.fact not in known:
                wrong.append(f'there is no fact "{each.fact}"')
            elif each.shown != known[each.fact]:
                wrong.append(f'"{each.fact}" is {known[each.fact]}, not {each.shown}')
            if each.shown not in left:
                wrong.append(f'"{statement.text}" does not show {each.shown}')
            left = left.replace(each.shown, "", 1)
        if uncited := re.findall(r"\d[\d.,]*", re.sub(r"\b\d{4}-Q[1-4]\b", "", left)):
            wrong.append(f'"{statement.text}" cites nothing for {", ".join(uncited)}')
    return wrong


def _days(quarter: str) -> tuple[str, str]:
    year, first = int(quarter[:4]), 3 * int(quarter[-1]) - 2
    after = date(year + 1, 1, 1) if first == 10 else date(year, first + 3, 1)
    return date(year, first, 1).isoformat(), after.isoformat()


def _lines(quarter: str, net: Counter[tuple[str, str]]) -> list[Line]:
    return [
        Line(
            name=name,
            **{when: net[name, each] for when, each in zip(_WHEN, compared(quarter), strict=True)},
        )
        for name in sorted({name for name, _ in net})
    ]
