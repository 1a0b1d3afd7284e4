"""The charts, drawn with matplotlib."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from .figures import Figures, Line, compared


def by_region(figures: Figures) -> bytes:
    return _bars("Net sales by region", figures.quarter, figures.regions)


def by_product(figures: Figures) -> bytes:
    return _bars("Net sales by product", figures.quarter, figures.products)


def _bars(title: str, quarter: str, lines: list[Line]) -> bytes:
    """A PNG with a group of three bars for each line."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    now, previous, last_year = compared(quarter)
    shown = (("last_year", last_year), ("previous", previous), ("now", now))
    for offset, (when, name) in enumerate(shown):
        places = [place + (offset - 1) * 0.27 for place in range(len(lines))]
        axes.bar(places, [getattr(line, when) / 100_000 for line in lines], 0.25, label=name)
    axes.set_xticks(range(len(lines)), [line.name for line in lines])
    axes.set_ylabel("thousand EUR")
    axes.set_title(title)
    axes.legend()
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110, metadata={"Software": None})
    return drawn.getvalue()
