"""The invoice story: every invoice is handled once, rightly, and by an id no model ever saw."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from invoices import make_data
from invoices.playbook import clerk
from invoices.project import Verdict, project, review_pending_invoices
from lampwork import Answer, Call, CannotComplete, Turn
from lampwork.models.ask import Attached, Result

from .chat_model import serve

HANDLED = [
    {"id": "inv_8f41c2", "supplier": "Halden Paper AS", "status": "approved", "effects": 1},
    {
        "id": "inv_2b90de",
        "supplier": "Ostrava Steel s.r.o.",
        "status": "needs_documents",
        "effects": 1,
    },
    {"id": "inv_c7731a", "supplier": "Brightwater Cleaning Ltd", "status": "flagged", "effects": 1},
    {"id": "inv_51e08b", "supplier": "Lumen Electric GmbH", "status": "approved", "effects": 1},
    {"id": "inv_e64f79", "supplier": "Corvid IT Services BV", "status": "flagged", "effects": 1},
    {"id": "inv_0d3ba5", "supplier": "Marlow Legal LLP", "status": "needs_documents", "effects": 1},
]

VERDICTS = [
    Verdict(status="approved", reason="total 1240.00, supplier and bank account as on PO-7001"),
    Verdict(status="needs_documents", reason="missing: delivery note"),
    Verdict(status="flagged", reason="total is 1980.00, the purchase order says 1890.00"),
    Verdict(status="approved", reason="total 4312.50, supplier and bank account as on PO-7004"),
    Verdict(
        status="flagged",
        reason="bank account LT12 1000 0111 0100 1000 is not the one on the purchase order",
    ),
    Verdict(status="needs_documents", reason="missing: purchase order number"),
]


def test_each_invoice_is_handled_once_with_the_right_outcome(accounting: httpx.Client) -> None:
    assert project.run(review_pending_invoices) == VERDICTS

    done = accounting.get("/effects").json()
    assert done["invoices"] == HANDLED
    assert [effect["repeats"] for effect in done["effects"]] == [0] * 6


async def test_a_second_review_finds_nothing_left_to_do(accounting: httpx.Client) -> None:
    async with project.open() as app:
        assert await app.run(review_pending_invoices) == VERDICTS
        assert await app.run(review_pending_invoices) == []

    done = await asyncio.to_thread(accounting.get, "/effects")
    assert done.json()["invoices"] == HANDLED


def test_a_model_sees_no_invoice_id_and_cannot_name_another_invoice(
    accounting: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(hurried_model) as model:
        monkeypatch.setenv("LAMPWORK_MODEL", "openai-chat:recorded")
        monkeypatch.setenv("OPENAI_BASE_URL", model.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        verdicts = project.run(review_pending_invoices)

    assert [verdict.status for verdict in verdicts] == [row["status"] for row in HANDLED]
    assert accounting.get("/effects").json()["invoices"] == HANDLED
    sent = "\n".join(model.requests)
    assert [row["id"] for row in HANDLED if row["id"] in sent] == []
    tools = {tool["function"]["name"]: tool for tool in json.loads(model.requests[0])["tools"]}
    assert list(tools["approve_invoice"]["function"]["parameters"]["properties"]) == ["note"]


def hurried_model(request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Knows each supplier's case by heart, and tries an invoice id of its own on one of them."""
    said = json.dumps(request["messages"])
    [row] = [row for row in HANDLED if row["supplier"] in said]
    calls = sum("tool_calls" in message for message in request["messages"])
    if row["supplier"] == "Corvid IT Services BV":
        if calls == 0:
            return "approve_invoice", {"note": "urgent", "invoice_id": "inv_another"}
        calls -= 1
    if calls == 1:
        return "answer", {"status": row["status"], "reason": "as ever"}
    return {
        "approved": ("approve_invoice", {"note": "as ever"}),
        "needs_documents": ("request_documents", {"documents": ["all of them"]}),
        "flagged": ("flag_for_review", {"reason": "odd"}),
    }[row["status"]]


def test_the_clerk_tries_twice_and_then_says_that_it_cannot() -> None:
    paper = Attached("invoice.pdf", "application/pdf", "", "[page 1]\nMarlow Legal LLP")
    failed = Result("request_documents", {}, error="ConnectError: refused")
    done = Result("request_documents", {}, value={"receipt": 1, "action": "request-documents"})
    missing = "missing: purchase order number"

    def decides(*results: Result) -> Any:
        return clerk(
            Turn(
                "Check", {"purchase_order": None}, (paper,), ("request_documents",), results, 1, ()
            )
        )

    ask = Call("request_documents", documents=["purchase order number"])
    answer = Answer({"status": "needs_documents", "reason": missing})
    assert decides() == ask
    assert decides(failed) == ask
    assert decides(failed, done) == decides(done) == answer
    assert decides(failed, failed) == CannotComplete(
        "request_documents failed twice: ConnectError: refused"
    )


def test_the_service_applies_a_key_once_and_counts_its_repeats(accounting: httpx.Client) -> None:
    def approve(note: str, **headers: str) -> httpx.Response:
        return accounting.post("/invoices/inv_8f41c2/approve", json={"note": note}, headers=headers)

    key = {"Idempotency-Key": "k1"}
    first, again = approve("fine", **key), approve("fine", **key)
    assert first.json() == again.json() == {"receipt": 1, "action": "approve"}
    assert approve("another note", **key).status_code == 409
    assert approve("fine").status_code == 400
    assert (
        accounting.post("/invoices/inv_none/approve", json={"note": ""}, headers=key).status_code
        == 404
    )
    assert accounting.get("/effects").json()["effects"] == [
        {
            "key": "k1",
            "invoice": "inv_8f41c2",
            "action": "approve",
            "detail": '"fine"',
            "repeats": 1,
        }
    ]


def test_the_papers_are_what_make_data_draws(tmp_path: Path) -> None:
    make_data.main(tmp_path)

    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert drawn == {path.name: path.read_bytes() for path in make_data.DATA.iterdir()}
