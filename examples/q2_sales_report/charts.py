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
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    now, previous, last_year = compared(quarter)
    shown = (
        ("last_year", last_year, "#cfd6dd"),
        ("previous", previous, "#8fa3b5"),
        ("now", now, "#0a58a6"),
    )
    for offset, (when, name, color) in enumerate(shown):
        places = [place + (offset - 1) * 0.27 for place in range(len(lines))]
        cents = [getattr(line, when) for line in lines]
        axes.bar(places, [each / 100_000 for each in cents], 0.25, label=name, color=color)
    axes.set_xticks(range(len(lines)), [line.name for line in lines])
    axes.set_ylabel("thousand EUR")
    axes.set_title(title, loc="left")
    axes.grid(axis="y", color="#e6eaee")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    axes.legend(frameon=False, ncols=3, loc="upper right", bbox_to_anchor=(1, 1.15))
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=130, metadata={"Software": None})
    return drawn.getvalue()
