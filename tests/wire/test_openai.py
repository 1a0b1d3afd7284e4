"""A task over OpenAI's own wire formats, chat completions and responses."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from lampwork import Metadata, Model, Project
from lampwork.errors import JobFailed
from lampwork.models import provider


class Verdict(BaseModel):
    status: Literal["approved", "flagged"]
    reason: str


project = Project("finance")


@project.skill(effect="read")
async def purchase_order(number: str) -> dict[str, int]:
    """Look a purchase order up."""
    return {"amount": 100}


@project.skill(effect="idempotent")
async def note(text: str, invoice_id: Metadata[str]) -> str:
    """Leave a note on the invoice."""
    return "noted"


KINDS = pytest.mark.parametrize("kind", ["openai-chat", "openai"])


def genie_at(url: str, kind: str, name: str) -> Any:
    return project.genie(
        f"{name}-{kind}",
        model=Model(f"{kind}:gpt-5-mini", base_url=f"{url}/v1"),
        job_description="You check invoices.",
        skills=[purchase_order, note],
    )


def asks(turn: int, *calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "match": {"userMessage": "Check", "sequenceIndex": turn},
        "response": {
            "toolCalls": [
                {"id": f"call_{turn}_{n}", "name": name, "arguments": arguments}
                for n, (name, arguments) in enumerate(calls)
            ]
        },
    }


@KINDS
async def test_two_skill_calls_and_a_typed_answer(aimock, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    server = aimock(
        asks(0, ("purchase_order", {"number": "PO-7"}), ("note", {"text": "seen"})),
        asks(1, ("answer", {"status": "maybe"})),
        asks(2, ("answer", {"status": "approved", "reason": "it matches"})),
    )

    async with project.open(tmp_path / "home") as app:
        answer = await app.assign_task(
            genie_at(server.url, kind, "whole"),
            "Check the invoice.",
            metadata={"invoice_id": "CANARY-1"},
            output=Verdict,
        )

    assert answer.output == Verdict(status="approved", reason="it matches")
    assert [(a.skill, a.status) for a in answer.actions] == [
        ("purchase_order", "ok"),
        ("note", "ok"),
    ]
    assert answer.usage["requests"] == 3
    requests = server.requests()
    assert len(requests) == 3
    for text in map(repr, requests):
        assert "CANARY-1" not in text
        assert "invoice_id" not in text
        assert "sk-canary" not in text
    assert '{"amount":100}' in repr(requests[1])
    assert "That is no valid answer yet" in repr(requests[2])


@KINDS
async def test_a_server_that_fails_for_a_moment_is_asked_again(aimock, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(provider, "FIRST_PAUSE", 0)
    match = {"userMessage": "Check"}
    failure = {"error": {"message": "overloaded", "type": "server_error"}, "status": 503}
    server = aimock(
        {"match": match | {"sequenceIndex": 0}, "response": failure},
        {"match": match | {"sequenceIndex": 1}, "response": {"content": "All is well."}},
    )

    async with project.open(tmp_path / "home") as app:
        answer = await app.assign_task(genie_at(server.url, kind, "moment"), "Check the invoice.")

    assert answer.output == "All is well."
    assert len(server.requests()) == 2


@KINDS
async def test_a_request_that_is_refused_is_not_repeated(aimock, tmp_path, kind):
    refusal = {"error": {"message": "bad key", "type": "invalid_request_error"}, "status": 401}
    server = aimock({"match": {"userMessage": "Check"}, "response": refusal})

    async with project.open(tmp_path / "home") as app:
        with pytest.raises(JobFailed) as raised:
            await app.assign_task(genie_at(server.url, kind, "refused"), "Check the invoice.")

    assert raised.value.error["code"] == "model_unavailable"
    assert raised.value.error["fields"]["status_code"] == 401
    assert len(server.requests()) == 1


@KINDS
async def test_a_server_that_keeps_failing_is_asked_three_times_in_all(
    aimock, tmp_path, monkeypatch, kind
):
    monkeypatch.setattr(provider, "FIRST_PAUSE", 0)
    failure = {"error": {"message": "overloaded", "type": "server_error"}, "status": 503}
    server = aimock({"match": {"userMessage": "Check"}, "response": failure})

    async with project.open(tmp_path / "home") as app:
        with pytest.raises(JobFailed):
            await app.assign_task(genie_at(server.url, kind, "down"), "Check the invoice.")

    assert len(server.requests()) == 3
