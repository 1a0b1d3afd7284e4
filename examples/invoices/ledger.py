"""The accounting service as the recipe and the skills see it (its address: ACCOUNTING_URL)."""

from __future__ import annotations

import csv
import io
import os
from decimal import Decimal
from typing import Any

import httpx
from pydantic import BaseModel

from lampwork import File


class Invoice(BaseModel):
    id: str
    supplier: str
    received: str
    purchase_order: str | None

    @property
    def summary(self) -> dict[str, Any]:
        """What a clerk gets to read: all but our id."""
        return self.model_dump(exclude={"id"})


class PurchaseOrder(BaseModel):
    number: str
    supplier: str
    total: Decimal
    bank_account: str
    documents: list[str]


class Receipt(BaseModel):
    receipt: int
    action: str


async def pending_invoices() -> list[Invoice]:
    async with _service() as service:
        answer = (await service.get("/invoices")).raise_for_status()
        return [Invoice.model_validate(row) for row in answer.json()]


async def invoice_pdf(invoice_id: str) -> File:
    """What the supplier sent."""
    async with _service() as service:
        answer = (await service.get(f"/invoices/{invoice_id}/pdf")).raise_for_status()
    return File("invoice.pdf", answer.content)


async def purchase_order(number: str | None) -> PurchaseOrder | None:
    async with _service() as service:
        answer = (await service.get("/purchase-orders.csv")).raise_for_status()
    for row in csv.DictReader(io.StringIO(answer.text)):
        if row["number"] == number:
            documents = [name.strip() for name in row["documents"].split(";") if name.strip()]
            return PurchaseOrder.model_validate({**row, "documents": documents})
    return None


async def approve(invoice_id: str, note: str, *, idempotency_key: str) -> Receipt:
    return await _decide(invoice_id, "approve", {"note": note}, idempotency_key)


async def request_documents(
    invoice_id: str, documents: list[str], *, idempotency_key: str
) -> Receipt:
    body = {"documents": documents}
    return await _decide(invoice_id, "request-documents", body, idempotency_key)


async def flag(invoice_id: str, reason: str, *, idempotency_key: str) -> Receipt:
    return await _decide(invoice_id, "flag", {"reason": reason}, idempotency_key)


async def _decide(invoice_id: str, action: str, body: dict[str, Any], key: str) -> Receipt:
    async with _service() as service:
        answer = await service.post(
            f"/invoices/{invoice_id}/{action}", json=body, headers={"Idempotency-Key": key}
        )
        return Receipt.model_validate(answer.raise_for_status().json())


def _service() -> httpx.AsyncClient:
    url = os.environ.get("ACCOUNTING_URL", "http://127.0.0.1:8765")
    return httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)
