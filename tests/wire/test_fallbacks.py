"""When a model fails, the next is asked, on another provider's wire."""

from __future__ import annotations

from typing import Any

import pytest

from lampwork import Model
from lampwork.errors import ContextTooLong, JobFailed, ModelUnavailable
from lampwork.insights import Insights
from lampwork.models import Attached, Part, Returned, Said, Told, Turn, resolve

from .wires import METADATA, WIRES, Verdict, ask, asks, fails, genie, model_at, project, says

CHAOS = ["rateLimitRate", "dropRate", "disconnectRate", "malformedRate"]


def down(wire: str, **fixture: Any) -> dict[str, Any]:
    """A fixture: this wire's model fails, whatever it is asked."""
    return {"match": {"model": WIRES[wire][0].partition(":")[2]}, **fixture}


def chain(url: str, *wires: str, **more: Any) -> Any:
    """The first wire's model, with the others as its fallbacks."""
    first, *others = wires
    return model_at(url, first, fallbacks=[model_at(url, each) for each in others], **more)


@pytest.mark.parametrize("chaos", CHAOS)
async def test_the_next_model_answers_when_the_first_keeps_failing(aimock, tmp_path, pauses, chaos):
    server = aimock(
        down("openai", response={"content": "Lost."}, chaos={chaos: 1}),
        asks(0, ("purchase_order", {"number": "PO-7"})),
        asks(1, ("answer", {"status": "approved", "reason": "it matches"})),
    )

    async with project.open(tmp_path / "home") as app:
        answer = await app.assign_task(
            genie(chain(server.url, "openai", "anthropic")),
            "Check the invoice.",
            metadata=METADATA,
            output=Verdict,
        )
        shown = (await Insights(app.store).conversation(answer.conversation_id)).transcript

    assert answer.output.status == "approved"
    assert [each.model for each in shown if each.kind == "said"] == ["claude-opus-4-8"] * 2
    assert answer.usage["requests"] == 8
    assert [each.path for each in server.sent] == [
        *["/v1/responses"] * 3,
        "/v1/messages",
    ] * 2


@pytest.mark.parametrize("status", [401, 403, 404, 402])
async def test_what_will_not_pass_leads_to_the_next_model_at_once(aimock, pauses, status):
    error = {"message": "no", "type": "invalid_request_error"}
    server = aimock(down("openai", response={"error": error, "status": status}), says("Fine."))

    reply = await resolve(chain(server.url, "openai", "google")).respond(ask(Told("Check.")))

    assert (reply.text, reply.model) == ("Fine.", "gemini-2.5-flash")
    assert len(server.sent) == 2
    assert pauses == []


async def test_a_request_that_is_refused_is_not_hidden_by_a_fallback(aimock):
    error = {"message": "temperature is deprecated", "type": "invalid_request_error"}
    server = aimock(down("openai", response={"error": error, "status": 400}), says("Fine."))

    with pytest.raises(ModelUnavailable, match="temperature is deprecated"):
        await resolve(chain(server.url, "openai", "google")).respond(ask(Told("Check.")))

    assert len(server.sent) == 1


async def test_every_model_that_was_asked_is_named_with_its_error(aimock, tmp_path, pauses):
    server = aimock(
        down("openai", response={"content": "Lost."}, chaos={"rateLimitRate": 1}),
        fails(401, "bad key", type="authentication_error"),
    )

    async with project.open(tmp_path / "home") as app:
        with pytest.raises(JobFailed) as raised:
            await app.assign_task(
                genie(chain(server.url, "openai", "anthropic", "google")),
                "Check the invoice.",
                metadata=METADATA,
            )

    fields = raised.value.error["fields"]
    assert [
        (each["model"], each["error_type"], each["status_code"], each["tries"])
        for each in fields["tried"]
    ] == [
        ("openai:gpt-5-mini", "ModelRateLimitError", 429, 3),
        ("anthropic:claude-opus-4-8", "ModelAuthenticationError", 401, 1),
        ("google:gemini-2.5-flash", "ModelAuthenticationError", 401, 1),
    ]
    assert (fields["model"], fields["attempts"]) == ("openai:gpt-5-mini", 5)
    assert fields["usage"] == {"requests": 5}


async def test_a_key_that_is_missing_by_then_leads_to_the_next_model(aimock, monkeypatch):
    server = aimock(says("Fine."))
    monkeypatch.setenv("MY_KEY", "mine")
    door = resolve(chain(server.url, "openai", "google", key_env="MY_KEY"))
    door.check()
    monkeypatch.delenv("MY_KEY")

    reply = await door.respond(ask(Told("Check.")))

    assert reply.model == "gemini-2.5-flash"


async def test_a_task_goes_on_with_another_provider_in_the_middle(aimock, tmp_path, pauses):
    called = asks(0, ("purchase_order", {"number": "PO-7"}), ("note", {"text": "seen"}))
    first, then = down("openai"), down("openai", chaos={"dropRate": 1})
    first["match"]["sequenceIndex"] = 0
    server = aimock(
        first | {"response": called["response"]},
        then | {"response": {"content": "Lost."}},
        asks(0, ("answer", {"status": "approved", "reason": "it matches"})),
    )

    async with project.open(tmp_path / "home") as app:
        answer = await app.assign_task(
            genie(chain(server.url, "openai", "anthropic")),
            "Check the invoice.",
            metadata=METADATA,
            output=Verdict,
        )

    assert answer.output.status == "approved"
    assert [action.status for action in answer.actions] == ["ok", "ok"]
    results = server.sent[-1].body["messages"][-1]["content"]
    assert [each["tool_use_id"] for each in results] == ["call_0_0", "call_0_1"]
    assert "encrypted" not in server.sent[-1].text


# --- requests that are too long ---

TOO_LONG = {
    "openai-chat": (400, "This model's maximum context length is 400000 tokens."),
    "openai": (400, "Your input exceeds the context window of this model."),
    "anthropic": (400, "prompt is too long: 1200000 tokens > 1000000 maximum"),
    "google": (400, "The input token count (1200000) exceeds the maximum number of tokens allowed"),
}


def too_long(wire: str) -> dict[str, Any]:
    status, message = TOO_LONG[wire]
    error: dict[str, Any] = {"message": message, "type": "invalid_request_error"}
    if wire == "openai":
        error["code"] = "context_length_exceeded"
    if wire == "google":
        error["type"] = "INVALID_ARGUMENT"
    return down(wire, response={"error": error, "status": status})


@pytest.mark.parametrize("wire", WIRES)
async def test_a_request_that_is_too_long_names_its_largest_parts(aimock, tmp_path, wire):
    server = aimock(says("Noted."), too_long(wire))
    server_of = {"openai-chat": "anthropic"}.get(wire, "openai-chat")
    lines = [{"text": "x" * 1000}] * 3

    async with project.open(tmp_path / "home") as app:
        before = await app.assign_task(
            genie(model_at(server.url, server_of)), "Check this. " + "y" * 2000, metadata=METADATA
        )
        with pytest.raises(JobFailed) as raised:
            await app.assign_task(
                genie(model_at(server.url, wire)),
                "Why?",
                metadata=METADATA,
                data=lines,
                conversation=before.conversation_id,
            )

    error = raised.value.error
    parts = {each["name"]: each["characters"] for each in error["fields"]["parts"]}
    assert error["code"] == "context_too_long"
    assert [*parts][:2] == ["data", "history"]
    assert 3000 < parts["data"] < 3500
    assert 2000 < parts["history"] < 3000
    assert parts["instructions"] == 4
    assert f"data {parts['data']:,}" in error["message"]


async def test_parts_are_named_by_where_they_come_from(aimock):
    server = aimock(too_long("anthropic"))
    order = Attached("po.pdf", "application/pdf", "0" * 64, "f" * 400)
    told = Told("…", (Part("instructions", "i" * 10),), files=(order,))
    said = Said({"parts": [{"part_kind": "text", "content": "s" * 50}], "kind": "response"})
    call = {"part_kind": "tool-call", "tool_name": "look", "args": {}, "tool_call_id": "c"}
    called = Said({"parts": [call], "kind": "response"})
    returned = Returned("c", "look", {"text": "r" * 300})
    history = (Told("h" * 200), said)

    with pytest.raises(ContextTooLong) as raised:
        await resolve(model_at(server.url, "anthropic")).respond(
            ask(
                *history,
                told,
                called,
                returned,
                job_description="d" * 100,
                turn=Turn("Check.", None, (), (), (), 1, (), history=history),
            )
        )

    assert raised.value.status == 413
    assert [each["name"] for each in raised.value.parts] == [
        "file po.pdf",
        'result of skill "look"',
        "history",
        "job description",
        "what the model said",
    ]


async def test_a_request_that_a_gateway_calls_too_large_is_too_long(aimock):
    server = aimock(fails(413, "Request exceeds the maximum size", type="request_too_large"))

    with pytest.raises(ContextTooLong):
        await resolve(model_at(server.url, "anthropic")).respond(ask(Told("Check.")))


async def test_a_request_that_is_too_long_goes_to_a_model_with_more_room(aimock):
    server = aimock(too_long("anthropic"), says("Fine."))
    smaller = Model("anthropic:claude-haiku-4-5", base_url=server.url)
    larger = model_at(server.url, "google")  # 1,048,576 tokens; claude-opus-4-8 takes a million
    model = model_at(server.url, "anthropic", fallbacks=[smaller, larger])

    reply = await resolve(model).respond(ask(Told("Check.")))

    assert reply.model == "gemini-2.5-flash"
    assert len(server.sent) == 2


async def test_a_request_that_is_too_long_for_all_is_too_long(aimock):
    server = aimock(too_long("openai"), too_long("google"))

    with pytest.raises(ContextTooLong) as raised:
        await resolve(chain(server.url, "openai", "google")).respond(ask(Told("Check.")))

    assert raised.value.models == ["openai:gpt-5-mini", "google:gemini-2.5-flash"]
    assert raised.value.usage == {"requests": 2}


async def test_a_request_that_is_too_long_for_one_and_meets_another_down_may_be_tried_later(
    aimock, pauses
):
    server = aimock(too_long("openai"), says("Lost.") | {"chaos": {"dropRate": 1}})

    with pytest.raises(ModelUnavailable) as raised:
        await resolve(chain(server.url, "openai", "google")).respond(ask(Told("Check.")))

    assert [each["error_type"] for each in raised.value.tried] == [
        "ModelContextWindowExceededError",
        "ModelServerError",
    ]
