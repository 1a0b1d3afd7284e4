"""The report as a single HTML page, which fetches nothing, and as a PDF."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.platypus import Image, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from .checks import Summary
from .figures import Figures, Line, compared, growth, money

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46em; margin: 2em auto; padding: 1em }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ border-bottom: 1px solid #ccc; padding: .3rem .5rem; text-align: right }}
td:first-child, th:first-child {{ text-align: left }}
img {{ max-width: 100% }}
</style>
</head>
<body>
<h1>{title}</h1>
<h2>Executive summary</h2>
{summary}
{sections}
<p>{note}</p>
</body>
</html>
"""


@dataclass(frozen=True)
class Report:
    summary: Summary
    figures: Figures
    by_region: bytes
    by_product: bytes

    @property
    def title(self) -> str:
        return f"Sales performance {self.figures.quarter}"

    @property
    def note(self) -> str:
        figures = self.figures
        return (
            f"Gross {money(figures.gross)}, refunded {money(figures.refunded)}. "
            f"{figures.unpriced} orders have no price on record and are in no total."
        )

    def sections(self) -> Iterator[tuple[str, bytes, list[list[str]]]]:
        """Each with its title, its chart, and the rows of its table."""
        yield "By region", self.by_region, self._rows("Region", self.figures.regions)
        yield "By product", self.by_product, self._rows("Product", self.figures.products)

    def _rows(self, of: str, lines: list[Line]) -> list[list[str]]:
        now, previous, last_year = compared(self.figures.quarter)
        return [
            [of, f"Net {now}", f"on {previous}", f"on {last_year}"],
            *(
                [
                    line.name,
                    money(line.now),
                    growth(line.now, line.previous),
                    growth(line.now, line.last_year),
                ]
                for line in (*lines, self.figures.total)
            ),
        ]


def html(report: Report) -> bytes:
    """The page, with its charts in it."""
    said = "\n".join(f"<p>{escape(each.text)}</p>" for each in report.summary.statements)
    sections = "\n".join(_section(*each) for each in report.sections())
    return _PAGE.format(
        title=escape(report.title), summary=said, sections=sections, note=escape(report.note)
    ).encode()


def _section(title: str, chart: bytes, rows: list[list[str]]) -> str:
    image = base64.b64encode(chart).decode()
    head, *body = (
        "".join(f"<{cell}>{escape(each)}</{cell}>" for each in row)
        for cell, row in zip(["th"] + ["td"] * (len(rows) - 1), rows, strict=True)
    )
    lines = "\n".join(f"<tr>{row}</tr>" for row in body)
    return (
        f"<h2>{title}</h2>\n"
        f'<img alt="Net sales, {title.lower()}" src="data:image/png;base64,{image}">\n'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>"
    )


def pdf(report: Report) -> bytes:
    """The same as a PDF: the same bytes for the same report."""
    style = getSampleStyleSheet()
    story = [Paragraph(escape(report.title), style["Title"])]
    story.append(Paragraph("Executive summary", style["Heading2"]))
    story += [Paragraph(escape(each.text), style["BodyText"]) for each in report.summary.statements]
    for title, chart, rows in report.sections():
        story.append(Paragraph(title, style["Heading2"]))
        story.append(Image(io.BytesIO(chart), width=15 * cm, height=7.5 * cm))
        table = Table(rows, hAlign="LEFT", colWidths=[3.5 * cm, 4.5 * cm, 3.5 * cm, 3.5 * cm])
        lines = [("ALIGN", (1, 0), (-1, -1), "RIGHT")]
        lines.append(("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.grey))
        table.setStyle(TableStyle(lines))
        story.append(table)
    story += [Spacer(1, 12), Paragraph(escape(report.note), style["BodyText"])]
    made = io.BytesIO()
    SimpleDocTemplate(made, pagesize=A4, title=report.title, invariant=1).build(story)
    return made.getvalue()
