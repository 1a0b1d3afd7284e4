"""Text is heard while it is said, over each provider's own stream."""

from __future__ import annotations

import pytest

from lampwork import Answer, TextDelta, Turn, playbook
from lampwork.models import Told, resolve

from .wires import EACH_WIRE, METADATA, ask, asks, genie, model_at, project, says

TEXT = "The invoice matches its purchase order, so it may be paid. " * 5 + "That is all."


@EACH_WIRE
async def test_an_app_hears_what_a_genie_says(aimock, tmp_path, wire):
    server = aimock(asks(0, ("purchase_order", {"number": "PO-7"})), says(TEXT, 1), wire=wire)
    heard: list[TextDelta] = []

    async with project.open(tmp_path / "home") as app:
        with app.on_text(heard.append):
            answer = await app.assign_task(
                genie(model_at(server.url, wire)), "Check the invoice.", metadata=METADATA
            )

    assert answer.output == "".join(each.text for each in heard) == TEXT
    assert len(heard) > 1
    assert {(each.task_id, each.number, each.attempt) for each in heard} == {(answer.task_id, 5, 1)}


async def test_nothing_is_streamed_while_nobody_listens(aimock, tmp_path):
    server = aimock(says(TEXT))
    heard: list[TextDelta] = []

    async with project.open(tmp_path / "home") as app:
        with app.on_text(heard.append):
            pass
        await app.assign_task(
            genie(model_at(server.url, "openai-chat")), "Check the invoice.", metadata=METADATA
        )

    assert heard == []
    assert server.sent[0].body["stream"] is False


@EACH_WIRE
async def test_a_streamed_reply_is_the_same_as_a_whole_one(aimock, wire):
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    call = {"id": "call_1", "name": "purchase_order", "arguments": {"number": "PO-7"}}
    response = {"content": TEXT, "toolCalls": [call], "usage": usage, "finishReason": "stop"}
    server = aimock({"match": {"userMessage": "Check"}, "response": response})
    door = resolve(model_at(server.url, wire))
    heard: list[TextDelta] = []

    whole = await door.respond(ask(Told("Check.")))
    streamed = await door.respond(ask(Told("Check."), on_text=heard.append))

    assert (streamed.text, streamed.calls) == (whole.text, whole.calls)
    assert (streamed.usage, streamed.truncated) == (whole.usage, whole.truncated)
    assert "".join(each.text for each in heard) == TEXT


async def test_texts_around_a_call_are_heard_as_the_reply_has_them(aimock):
    call = {"type": "toolCall", "name": "note", "arguments": {"text": "seen"}}
    texts = [{"type": "text", "text": each} for each in ("Noted.", "All is well.")]
    blocks = {"blocks": [texts[0], call, texts[1]]}
    server = aimock({"match": {"userMessage": "Check"}, "response": blocks})
    heard: list[TextDelta] = []

    reply = await resolve(model_at(server.url, "anthropic")).respond(
        ask(Told("Check."), on_text=heard.append)
    )

    assert "".join(each.text for each in heard) == reply.text == "Noted.\nAll is well."
    assert [each.name for each in reply.calls] == ["note"]


async def test_a_playbook_is_heard_too(tmp_path):
    @playbook
    def clerk(turn: Turn):
        return Answer(TEXT)

    heard: list[TextDelta] = []

    async with project.open(tmp_path / "home") as app:
        with app.on_text(heard.append):
            answer = await app.assign_task(genie(clerk), "Check the invoice.", metadata=METADATA)

    assert heard == [TextDelta(answer.task_id, 2, 1, TEXT)]


@EACH_WIRE
async def test_a_text_that_breaks_off_begins_anew_under_the_next_attempt(aimock, pauses, wire):
    server = aimock(says(TEXT, 0) | {"truncateAfterChunks": 6}, says(TEXT, 1))
    heard: list[TextDelta] = []

    reply = await resolve(model_at(server.url, wire)).respond(
        ask(Told("Check."), on_text=heard.append)
    )

    texts = {n: "".join(each.text for each in heard if each.attempt == n) for n in (1, 2)}
    assert texts[2] == reply.text == TEXT
    assert TEXT.startswith(texts[1])
    assert texts[1] != TEXT
    assert reply.usage["unmeasured_requests"] == 1


HALVES = {
    "openai-chat": '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    '[{"index":0,"delta":{"role":"assistant","content":"The inv"},"finish_reason":null}]}',
    "google": '{"candidates":[{"content":{"role":"model","parts":[{"text":"The inv"}]}}]}',
}


@pytest.mark.parametrize("wire", HALVES)
async def test_a_stream_that_ends_before_its_response_is_half_a_stream(
    canned, aimock, pauses, wire
):
    half = await canned(("text/event-stream", f"data: {HALVES[wire]}\n\n"))
    server = aimock(says(TEXT))
    heard: list[TextDelta] = []
    model = model_at(half, wire, fallbacks=[model_at(server.url, wire)])

    reply = await resolve(model).respond(ask(Told("Check."), on_text=heard.append))

    assert [(each.attempt, each.text) for each in heard[:3]] == [
        (1, "The inv"),
        (2, "The inv"),
        (3, "The inv"),
    ]
    assert "".join(each.text for each in heard if each.attempt == 4) == reply.text == TEXT


async def test_a_listener_that_fails_does_not_fail_the_task(aimock, tmp_path, caplog):
    server = aimock(says(TEXT))

    def broken(delta: TextDelta) -> None:
        raise ValueError("no")

    async with project.open(tmp_path / "home") as app:
        with app.on_text(broken):
            answer = await app.assign_task(
                genie(model_at(server.url, "openai-chat")), "Check the invoice.", metadata=METADATA
            )

    assert answer.output == TEXT
    assert "Exception in callback" in caplog.text
