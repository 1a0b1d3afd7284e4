"""What the database says a quarter came to, and whether a summary says the same.

It shares no figure with the agents: it asks the tables by days, where they ask by quarters.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

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


CITED = re.compile(r"\[([^]]*)\]\(fact:([^)\s]+)\)")
"""A figure of a summary: what it shows, and which fact that is."""


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


def disagreements(quarter: str, summary: str) -> list[str]:
    """Where a summary of a quarter does not say what the database does: nothing if it does."""
    known, cited = facts(recount(quarter)), CITED.findall(summary)
    wrong = [
        f'"{fact}" is missing'
        for fact in ("net:all", "on_previous:all", "on_last_year:all")
        if fact not in (each for _, each in cited)
    ]
    for shown, fact in cited:
        if fact not in known:
            wrong.append(f'there is no fact "{fact}"')
        elif shown != known[fact]:
            wrong.append(f'"{fact}" is {known[fact]}, not {shown}')
    rest = re.sub(r"\b\d{4}-Q[1-4]\b", "", CITED.sub("", summary))
    if uncited := re.findall(r"\d[\d.,]*", rest):
        wrong.append(f"nothing is cited for {', '.join(uncited)}")
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
