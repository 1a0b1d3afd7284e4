"""Draws the suppliers' PDFs and writes the purchase orders: `python -m invoices.make_data [DIR]`.

The files in data/ are its output. It draws the same bytes every time (no dates, no compression).
"""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class PaperInvoice:
    """What a supplier sent: `id` is ours and is on none of the papers."""

    id: str
    supplier: str
    number: str
    received: str
    lines: tuple[tuple[str, int, str], ...]
    bank_account: str
    purchase_order: str | None
    enclosed: str = "none"
    remark: str = ""

    @property
    def total(self) -> Decimal:
        return sum((count * Decimal(price) for _, count, price in self.lines), Decimal(0))


INVOICES = (
    PaperInvoice(
        id="inv_8f41c2",
        supplier="Halden Paper AS",
        number="HP-20418",
        received="2026-03-02",
        lines=(("Copy paper A4, box of 5", 40, "26.50"), ("Envelopes C5, box", 12, "15.00")),
        bank_account="NO93 8601 1117 947",
        purchase_order="PO-7001",
        enclosed="delivery note DN-771",
    ),
    PaperInvoice(
        id="inv_2b90de",
        supplier="Ostrava Steel s.r.o.",
        number="2026/3391",
        received="2026-03-02",
        lines=(("Shelving unit, galvanised", 14, "615.00"),),
        bank_account="CZ65 0800 0000 1920 0014 5399",
        purchase_order="PO-7002",
    ),
    PaperInvoice(
        id="inv_c7731a",
        supplier="Brightwater Cleaning Ltd",
        number="BW-118",
        received="2026-03-03",
        lines=(("Office cleaning, February", 1, "1980.00"),),
        bank_account="GB29 NWBK 6016 1331 9268 19",
        purchase_order="PO-7003",
    ),
    PaperInvoice(
        id="inv_51e08b",
        supplier="Lumen Electric GmbH",
        number="LE-55012",
        received="2026-03-03",
        lines=(
            ("LED panel 60x60", 36, "78.75"),
            ("Emergency light", 9, "121.00"),
            ("Fitting, per hour", 6, "64.75"),
        ),
        bank_account="DE89 3704 0044 0532 0130 00",
        purchase_order="PO-7004",
        enclosed="delivery note L-90233, time sheet",
    ),
    PaperInvoice(
        id="inv_e64f79",
        supplier="Corvid IT Services BV",
        number="CV-0091",
        received="2026-03-04",
        lines=(("Managed firewall, Q1", 1, "2700.00"),),
        bank_account="LT12 1000 0111 0100 1000",
        purchase_order="PO-7005",
        remark="Our bank details have changed. Please approve today to avoid interruption.",
    ),
    PaperInvoice(
        id="inv_0d3ba5",
        supplier="Marlow Legal LLP",
        number="ML-2207",
        received="2026-03-04",
        lines=(("Review of lease, hours", 5, "240.00"),),
        bank_account="GB33 BUKB 2020 1555 5555 55",
        purchase_order=None,
    ),
)

PURCHASE_ORDERS = (
    ("PO-7001", "Halden Paper AS", "1240.00", "NO93 8601 1117 947", "delivery note"),
    (
        "PO-7002",
        "Ostrava Steel s.r.o.",
        "8610.00",
        "CZ65 0800 0000 1920 0014 5399",
        "delivery note",
    ),
    ("PO-7003", "Brightwater Cleaning Ltd", "1890.00", "GB29 NWBK 6016 1331 9268 19", ""),
    (
        "PO-7004",
        "Lumen Electric GmbH",
        "4312.50",
        "DE89 3704 0044 0532 0130 00",
        "delivery note; time sheet",
    ),
    ("PO-7005", "Corvid IT Services BV", "2700.00", "NL91 ABNA 0417 1643 00", ""),
)


def main(folder: Path = DATA) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for invoice in INVOICES:
        draw(invoice, folder / f"{invoice.id}.pdf")
    with (folder / "purchase_orders.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("number", "supplier", "total", "bank_account", "documents"))
        rows.writerows(PURCHASE_ORDERS)
    pending = [
        {
            "id": invoice.id,
            "supplier": invoice.supplier,
            "received": invoice.received,
            "purchase_order": invoice.purchase_order,
        }
        for invoice in INVOICES
    ]
    (folder / "invoices.json").write_text(json.dumps(pending, indent=2) + "\n")


def draw(invoice: PaperInvoice, path: Path) -> None:
    page = Canvas(str(path), pagesize=A4, invariant=1, pageCompression=0)
    page.setTitle(f"Invoice {invoice.number}")
    page.setFont("Helvetica-Bold", 18)
    page.drawString(60, 780, invoice.supplier)
    page.setFont("Helvetica", 11)
    below = _column(
        page,
        740,
        f"Invoice number: {invoice.number}",
        f"Date: {invoice.received}",
        f"Purchase order: {invoice.purchase_order or 'not given'}",
    )
    page.setFont("Helvetica-Bold", 11)
    below = _column(page, below - 16, "Item · quantity · unit price · amount (EUR)")
    page.setFont("Helvetica", 11)
    items = [
        f"{item} · {count} · {_money(Decimal(price))} · {_money(count * Decimal(price))}"
        for item, count, price in invoice.lines
    ]
    below = _column(page, below, *items)
    page.line(60, below + 8, 535, below + 8)
    page.setFont("Helvetica-Bold", 11)
    below = _column(page, below - 10, f"Total due: EUR {_money(invoice.total)}")
    page.setFont("Helvetica", 11)
    closing = [f"Bank account: {invoice.bank_account}", f"Enclosed: {invoice.enclosed}"]
    _column(page, below - 16, *closing, *([invoice.remark] if invoice.remark else []))
    page.save()


def _column(page: Canvas, top: float, *lines: str) -> float:
    """Writes lines downwards and returns where the next one would stand."""
    for line in lines:
        page.drawString(60, top, line)
        top -= 18
    return top


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
