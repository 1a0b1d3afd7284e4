"""Finance reviews its pending invoices: a child job and a task for each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from lampwork import Cron, Job, Metadata, Project, SkillCall

from . import ledger
from .ledger import Invoice, Receipt
from .playbook import clerk

project = Project("finance")


class Verdict(BaseModel):
    status: Literal["approved", "needs_documents", "flagged"]
    reason: str


@project.skill(effect="idempotent")
async def approve_invoice(note: str, invoice_id: Metadata[str], call: SkillCall) -> Receipt:
    """Approve the invoice. Use it when the amounts match the purchase order."""
    return await ledger.approve(invoice_id, note, idempotency_key=call.idempotency_key)


@project.skill(effect="idempotent")
async def request_documents(
    documents: list[str], invoice_id: Metadata[str], call: SkillCall
) -> Receipt:
    """Ask the supplier for missing documents. Use it when something required is not enclosed."""
    return await ledger.request_documents(
        invoice_id, documents, idempotency_key=call.idempotency_key
    )


@project.skill(effect="idempotent")
async def flag_for_review(reason: str, invoice_id: Metadata[str], call: SkillCall) -> Receipt:
    """Hold the invoice for a person. Use it when something does not match or looks wrong."""
    return await ledger.flag(invoice_id, reason, idempotency_key=call.idempotency_key)


finance = project.genie(
    "finance",
    model=clerk,
    job_description=Path(__file__).with_name("finance.md").read_text(),
    skills=[approve_invoice, request_documents, flag_for_review],
)


@project.recipe(triggers=[Cron("*/15 * * * *")])
async def review_pending_invoices(job: Job) -> list[Verdict]:
    invoices = await job.step(ledger.pending_invoices)
    return await job.map(review_invoice, invoices, limit=4)


async def review_invoice(job: Job, invoice: Invoice) -> Verdict:
    pdf = await job.step(ledger.invoice_pdf, invoice.id)
    order = await job.step(ledger.purchase_order, invoice.purchase_order)
    task = await job.assign_task(
        finance,
        "Check this invoice against its purchase order and decide.",
        data={"invoice": invoice.summary, "purchase_order": order},
        files=[pdf],
        metadata={"invoice_id": invoice.id},
        output=Verdict,
    )
    return task.output
