"""The report as a PDF, made with reportlab."""

from __future__ import annotations

import io
from html import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.platypus import Flowable, Image, Paragraph, SimpleDocTemplate, Table, TableStyle

from .checks import CITED
from .figures import Figures, rows


def pdf(summary: str, figures: Figures, by_region: bytes, by_product: bytes) -> bytes:
    """The same bytes for the same report."""
    style = getSampleStyleSheet()
    title = f"Sales performance {figures.quarter}"
    story: list[Flowable] = [Paragraph(title, style["Title"])]
    story.append(Paragraph("Executive summary", style["Heading2"]))
    for paragraph in CITED.sub(r"\1", summary).split("\n\n"):
        story.append(Paragraph(escape(paragraph), style["BodyText"]))
    parts = ("region", by_region, figures.regions), ("product", by_product, figures.products)
    for by, chart, lines in parts:
        story.append(Paragraph(f"By {by}", style["Heading2"]))
        story.append(Image(io.BytesIO(chart), width=15 * cm, height=7.5 * cm))
        widths = [3.5 * cm, 4.5 * cm, 3.5 * cm, 3.5 * cm]
        table = Table(rows(by.title(), figures, lines), hAlign="LEFT", colWidths=widths)
        right = ("ALIGN", (1, 0), (-1, -1), "RIGHT")
        table.setStyle(TableStyle([right, ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.grey)]))
        story.append(table)
    made = io.BytesIO()
    SimpleDocTemplate(made, pagesize=A4, title=title, invariant=1).build(story)
    return made.getvalue()
