"""The figures of a quarter, added up from what the data agents have read."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable

from pydantic import BaseModel


class Line(BaseModel):
    """Net sales, in cents: of the quarter, of the one before, and of the same one a year ago."""

    name: str
    now: int
    previous: int
    last_year: int


class Figures(BaseModel):
    quarter: str
    gross: int
    refunded: int
    unpriced: int
    """Orders without a price, which no total holds."""
    total: Line
    regions: list[Line]
    products: list[Line]


def compared(quarter: str) -> tuple[str, str, str]:
    """A quarter such as 2026-Q2, the one before, and the same one a year ago."""
    year, number = int(quarter[:4]), int(quarter[-1])
    previous = f"{year}-Q{number - 1}" if number > 1 else f"{year - 1}-Q4"
    return quarter, previous, f"{year - 1}-Q{number}"


def add_up(quarter: str, sales: str, returns: str) -> Figures:
    """From the rows of sales.csv and returns.csv."""
    sold, back = (list(csv.DictReader(io.StringIO(text))) for text in (sales, returns))
    now = [row for row in sold if row["quarter"] == quarter]
    gross = sum(int(row["cents"]) for row in now)
    refunded = sum(int(row["cents"]) for row in back if row["quarter"] == quarter)
    lines: dict[str, Counter[tuple[str, str]]] = {"region": Counter(), "product": Counter()}
    for sign, rows in ((1, sold), (-1, back)):
        for row in rows:
            for by, net in lines.items():
                net[row[by], row["quarter"]] += sign * int(row["cents"])
    regions, products = (_lines(quarter, lines[by]) for by in ("region", "product"))
    return Figures(
        quarter=quarter,
        gross=gross,
        refunded=refunded,
        unpriced=sum(int(row["unpriced"]) for row in now),
        total=Line(
            name="all",
            now=sum(line.now for line in products),
            previous=sum(line.previous for line in products),
            last_year=sum(line.last_year for line in products),
        ),
        regions=regions,
        products=products,
    )


def _lines(quarter: str, net: Counter[tuple[str, str]]) -> list[Line]:
    names: Iterable[str] = sorted({name for name, _ in net})
    return [
        Line(name=name, now=now, previous=previous, last_year=last_year)
        for name in names
        for now, previous, last_year in [[net[name, each] for each in compared(quarter)]]
    ]


def money(cents: int) -> str:
    return f"EUR {cents / 100:,.2f}"


def growth(now: int, before: int) -> str:
    return f"{(now - before) / before * 100:+.1f} %" if before else "n/a"


def breakdown(figures: Figures) -> str:
    """The charts by region and product with their tables, in Markdown."""
    parts = [
        f"## By {by}\n\n![Net sales by {by}](by_{by}.png)\n\n{_table(by.title(), figures, lines)}"
        for by, lines in (("region", figures.regions), ("product", figures.products))
    ]
    note = (
        f"Gross {money(figures.gross)}, refunded {money(figures.refunded)}. "
        f"{figures.unpriced} orders have no price on record and are in no total."
    )
    return "\n\n".join([*parts, note])


def rows(of: str, figures: Figures, lines: list[Line]) -> list[list[str]]:
    """A table of some lines and their total, its head first."""
    now, previous, last_year = compared(figures.quarter)
    head = [of, f"Net {now}", f"on {previous}", f"on {last_year}"]
    return [head, *([line.name, *_shown(line)] for line in (*lines, figures.total))]


def _shown(line: Line) -> list[str]:
    grown = [growth(line.now, before) for before in (line.previous, line.last_year)]
    return [money(line.now), *grown]


def _table(of: str, figures: Figures, lines: list[Line]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows(of, figures, lines))
    return "\n".join([head, "|---|--:|--:|--:|", *body])
