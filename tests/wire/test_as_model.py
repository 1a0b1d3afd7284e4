"""What `--as-model` shows is what goes over the wire."""

from __future__ import annotations

import json
from typing import Any

from lampwork.insights import Insights
from lampwork.insights.requests import MessageView, RequestView
from lampwork.place import Folder

from .wires import METADATA, Verdict, asks, genie, model_at, project


def as_sent(view: RequestView) -> Any:
    """A request's messages, as a chat completion has them; arguments parsed."""
    system = {"role": "system", "content": view.job_description}
    return [system, *map(_message, view.messages)]


def _message(message: MessageView) -> Any:
    if message.by == "user":
        return {"role": "user", "content": message.text}
    if message.by == "skill":
        return {"role": "tool", "content": message.text}
    calls = [(call.skill, _parsed(call.arguments)) for call in message.calls]
    return {"role": "assistant", "content": message.text, "calls": calls}


def _parsed(arguments: Any) -> Any:
    return json.loads(arguments) if isinstance(arguments, str) else arguments


def sent(body: Any) -> Any:
    """The same of a request as it was sent."""
    messages: list[Any] = []
    for message in body["messages"]:
        short = {"role": message["role"], "content": message.get("content") or ""}
        if message["content"] and message["content"].startswith('{"error":'):
            short["content"] = json.loads(message["content"])["error"]  # pydantic-ai's wrapping
        if message["role"] == "assistant":
            called = [each["function"] for each in message["tool_calls"]]
            short["calls"] = [(each["name"], _parsed(each["arguments"])) for each in called]
        messages.append(short)
    return messages


async def test_requests_are_shown_as_they_go_over_the_wire(aimock, tmp_path):
    server = aimock(
        asks(0, ("purchase_order", {"number": "PO-7"}), ("note", {"text": "seen"})),
        asks(1, ("answer", {"status": "maybe"})),
        asks(2, ("answer", {"status": "approved", "reason": "it matches"})),
        wire="openai-chat",
    )
    async with project.open(tmp_path / "home") as app:
        answer = await app.assign_task(
            genie(model_at(server.url, "openai-chat")),
            "Check the invoice.",
            data={"total": 12},
            metadata=METADATA,
            output=Verdict,
        )

    async with Insights.opened(Folder(tmp_path / "home")) as insights:
        views = await insights.requests(answer.conversation_id)

    for view, each in zip(views, server.sent, strict=True):
        assert as_sent(view) == sent(each.body)
    for view, each in zip(views, server.sent, strict=True):
        tools = [tool["function"] for tool in each.body["tools"]]
        described = [*(view.skills or ()), *(view.endings or ())]
        assert {tool["name"]: tool.get("description", "") for tool in tools} == {
            each.name: each.description for each in described
        }
        assert {tool["name"]: set(tool["parameters"]["properties"]) for tool in tools} == {
            each.name: set(each.parameters["properties"]) for each in described
        }
