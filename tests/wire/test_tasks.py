"""A whole task over each provider's own wire format."""

from __future__ import annotations

import json
import re

import pytest

from lampwork import Price
from lampwork.models import Told, resolve

from .wires import EACH_WIRE, METADATA, Verdict, ask, asks, genie, model_at, project, says

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY")


@EACH_WIRE
async def test_two_skill_calls_and_a_typed_answer(aimock, tmp_path, monkeypatch, wire):
    for name in KEYS:
        monkeypatch.setenv(name, "sk-canary")
    server = aimock(
        asks(0, ("purchase_order", {"number": "PO-7"}), ("note", {"text": "seen"})),
        asks(1, ("answer", {"status": "maybe"})),
        asks(2, ("answer", {"status": "approved", "reason": "it matches"})),
        wire=wire,
    )

    async with project.open(tmp_path / "home") as app:
        answer = await app.assign_task(
            genie(model_at(server.url, wire)),
            "Check the invoice.",
            metadata=METADATA,
            output=Verdict,
        )

    assert answer.output == Verdict(status="approved", reason="it matches")
    assert [(a.skill, a.status) for a in answer.actions] == [
        ("purchase_order", "ok"),
        ("note", "ok"),
    ]
    assert answer.usage["requests"] == 3
    assert len(server.sent) == 3
    for request in server.sent:
        assert "invoice_id" not in repr(request)
        assert "sk-canary" not in repr(request)
    assert r"{\"amount\":100}" in server.sent[1].text
    assert "That is no valid answer yet" in server.sent[2].text


@EACH_WIRE
async def test_tokens_are_counted_and_priced(aimock, tmp_path, wire):
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
    server = aimock(says("All is well.", usage=usage))
    model = model_at(server.url, wire, price=Price(input=0.25, output=2))

    async with project.open(tmp_path / "home") as app:
        answer = await app.assign_task(genie(model), "Check the invoice.", metadata=METADATA)

    assert answer.usage == {
        "requests": 1,
        "input_tokens": 1000,
        "output_tokens": 10,
        "cost_nanodollars": 270_000,
    }


@pytest.mark.parametrize("wire", ["openai-chat", "anthropic", "google"])
async def test_a_reply_that_stops_at_the_limit_is_known_as_such(aimock, wire):
    server = aimock(says("All is", finishReason="length"))
    door = resolve(model_at(server.url, wire, settings={"max_tokens": 200}))

    reply = await door.respond(ask(Told("Check."), max_output_tokens=100))

    assert (reply.text, reply.truncated) == ("All is", True)
    assert re.findall(r'[tT]okens":\s*(\d+)', server.sent[0].text) == ["100"]


async def test_a_response_of_openais_that_stops_at_the_limit_is_known_as_such(canned):
    # aimock leaves the details out, which say why a response is incomplete.
    message = {"type": "message", "id": "m1", "role": "assistant", "status": "incomplete"}
    body = {
        "id": "r1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5-mini",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [
            message | {"content": [{"type": "output_text", "text": "All is", "annotations": []}]}
        ],
    }
    url = await canned(("application/json", json.dumps(body)))

    reply = await resolve(model_at(url, "openai")).respond(ask(Told("Check.")))

    assert (reply.text, reply.truncated) == ("All is", True)
