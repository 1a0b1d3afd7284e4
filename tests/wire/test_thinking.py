"""What a model thought goes back to it as its provider needs it, and to others as text."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pydantic_ai.messages import ModelResponse, ThinkingPart, ToolCallPart

from lampwork import TextDelta
from lampwork.models import Returned, Said, Told, reply, resolve

from .wires import METADATA, THINKING, WIRES, ask, asks, genie, model_at, project


def thinks(wire: str) -> list[dict[str, Any]]:
    """Fixtures: a model that thinks, calls a skill, and answers; asked why, it says why."""
    said = {"content": "All is well.", "reasoning": "It matches.", "reasoningSignature": "SIG-2"}
    thought = {"reasoning": "I look it up.", "reasoningSignature": "SIG-1"}
    return [
        asks(0, ("purchase_order", {"number": "PO-7"}), **thought),
        {"match": {"userMessage": "Check", "sequenceIndex": 1}, "response": said},
        {"match": {"userMessage": "Why"}, "response": {"content": "Because."}},
    ]


@pytest.mark.parametrize("wire", ["openai-chat", "openai", "anthropic"])
async def test_what_a_provider_needs_of_a_thought_comes_back_to_it(aimock, tmp_path, wire):
    server = aimock(*thinks(wire))
    heard: list[TextDelta] = []

    async with project.open(tmp_path / "home") as app:
        with app.on_text(heard.append):
            answer = await app.assign_task(
                genie(model_at(server.url, wire, settings=THINKING[wire])),
                "Check the invoice.",
                metadata=METADATA,
            )

    assert answer.output == "".join(each.text for each in heard) == "All is well."
    sent = server.sent[1].body
    match wire:
        case "openai-chat":
            assert sent["messages"][2]["reasoning_content"] == "I look it up."
        case "openai":
            thought, call = sent["input"][1:3]
            assert thought["summary"] == [{"text": "I look it up.", "type": "summary_text"}]
            assert thought["id"].startswith("rs-")
            assert thought["encrypted_content"]
            assert call["id"].startswith("fc-")
        case _:
            thought = {"type": "thinking", "thinking": "I look it up.", "signature": "SIG-1"}
            assert sent["messages"][1]["content"][0] == thought


async def test_a_signature_of_geminis_comes_back_to_it(aimock):
    # aimock sends none, so the response is one that pydantic-ai would have made.
    server = aimock({"match": {}, "response": {"content": "Fine."}})
    said = ModelResponse(
        [
            ThinkingPart("I look it up.", signature="U0lHLTE=", provider_name="google"),
            ToolCallPart("purchase_order", {"number": "PO-7"}, "call_1"),
        ],
        provider_name="google",
        canonical_system="google",
        model_name="gemini-2.5-flash",
    )

    await resolve(model_at(server.url, "google")).respond(
        ask(Told("Check."), Said(reply.raw_of(said)), Returned("call_1", "purchase_order", 100))
    )

    thought, call = server.sent[0].body["contents"][1]["parts"]
    assert thought == {"text": "I look it up.", "thought": True}
    assert call["thoughtSignature"] == "U0lHLTE="


@pytest.mark.parametrize(("before", "after"), [*itertools.permutations(WIRES, 2)])
async def test_another_providers_thoughts_are_text(aimock, tmp_path, before, after):
    server = aimock(*thinks(before), wire=before)

    async with project.open(tmp_path / "home") as app:
        first = await app.assign_task(
            genie(model_at(server.url, before, settings=THINKING[before])),
            "Check the invoice.",
            metadata=METADATA,
        )
        second = await app.assign_task(
            genie(model_at(server.url, after, settings=THINKING[after])),
            "Why?",
            metadata=METADATA,
            conversation=first.conversation_id,
        )

    assert second.output == "Because."
    sent = server.sent[2].text
    assert "I look it up." in sent
    assert "It matches." in sent
    for theirs in ("SIG-", 'encrypted_content":', "rs-", "fc-", 'reasoning_content":'):
        assert theirs not in sent
