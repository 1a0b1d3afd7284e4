"""An `Ask` in pydantic-ai's types."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ThinkingPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model as ProviderModel
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.tools import ToolDefinition

from lampwork.models.ask import Ask, Described, Message, Returned, Said, Told
from lampwork.types import Json

__all__ = ["Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, whichever model it is sent to."""

    messages: list[ModelMessage]
    parameters: ModelRequestParameters

    @classmethod
    def of(cls, ask: Ask) -> Request:
        """The request that asks this."""
        return cls(_messages(ask), _parameters(ask))

    def messages_for(self, model: ProviderModel) -> list[ModelMessage]:
        """The messages as this model can take them.

        pydantic-ai renders as text what another provider thought, but of OpenAI's own two wires it
        takes one for the other: chat completions would send a thought of the responses' wire under
        a field that is named by the thought's id, which is refused.
        """
        if not isinstance(model, OpenAIChatModel):
            return self.messages
        fields = {*_THOUGHTS_ON_CHAT, model.profile.get("openai_chat_thinking_field")}
        return [_without_foreign_thoughts(each, fields) for each in self.messages]


_THOUGHTS_ON_CHAT = ("content", "reasoning", "reasoning_content")
"""Where pydantic-ai finds thoughts in a chat completion; it keeps the name as the thought's id."""


def _without_foreign_thoughts(message: ModelMessage, fields: set[str | None]) -> ModelMessage:
    if not isinstance(message, ModelResponse):
        return message
    if not any(isinstance(part, ThinkingPart) for part in message.parts):
        return message
    parts = [_as_text(part, fields) for part in message.parts]
    return replace(message, parts=parts)


def _as_text(part: ModelResponsePart, fields: set[str | None]) -> ModelResponsePart:
    if isinstance(part, ThinkingPart) and part.id not in fields:
        return ThinkingPart(part.content)
    return part


def _parameters(ask: Ask) -> ModelRequestParameters:
    if ask.text_ends:
        # In this mode pydantic-ai sends no output tools, so declining is a function among others.
        return ModelRequestParameters(function_tools=list(map(_tool, (*ask.skills, *ask.endings))))
    return ModelRequestParameters(
        function_tools=[_tool(each) for each in ask.skills],
        output_tools=[_tool(each, kind="output") for each in ask.endings],
        output_mode="tool",
        allow_text_output=False,
    )


def _tool(described: Described, kind: Any = "function") -> ToolDefinition:
    return ToolDefinition(
        name=described.name,
        parameters_json_schema=described.parameters,
        description=described.description or None,
        kind=kind,
    )


def _messages(ask: Ask) -> list[ModelMessage]:
    """The conversation in pydantic-ai's types; what comes between two responses is one request."""
    messages: list[ModelMessage] = []
    parts: list[ModelRequestPart] = []
    for message in ask.messages:
        if isinstance(message, Said):
            if parts:
                messages.append(ModelRequest(parts))
                parts = []
            messages.append(_parsed(message))
        else:
            parts.append(_part(message))
    # Only the last request's instructions count, and they are those of the genie that works now.
    messages.append(ModelRequest(parts, instructions=ask.job_description or None))
    return messages


def _parsed(said: Said) -> ModelResponse:
    if said.parsed is None:
        said.parsed = ModelMessagesTypeAdapter.validate_python([said.raw])[0]
    return said.parsed


def _part(message: Message) -> ModelRequestPart:
    match message:
        case Told(text):
            return UserPromptPart(text)
        case Returned(call_id, name, content, failed):
            text = content if isinstance(content, str) else _compact(content)
            # As text: a result that looks like one of pydantic-ai's file parts stays what it is.
            return ToolReturnPart(name, text, call_id, outcome="failed" if failed else "success")
        case Said():
            raise AssertionError("a response is no part of a request")


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
