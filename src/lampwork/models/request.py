"""An `Ask` in pydantic-ai's types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ThinkingPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import Model as ProviderModel
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.tools import ToolDefinition

from lampwork.models.ask import Ask, Attached, Described, Message, Returned, Said, Told

__all__ = ["Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, whichever model it is sent to."""

    messages: list[ModelMessage]
    parameters: ModelRequestParameters
    images: bool
    """Whether there are any in it."""

    @classmethod
    def of(cls, ask: Ask) -> Request:
        """The request that asks this."""
        told = (message for message in ask.messages if isinstance(message, Told))
        images = any(file.content for message in told for file in message.files)
        return cls(_messages(ask), _parameters(ask), images)

    def without_images(self) -> Request:
        """The same for a model that takes none. They are of earlier tasks, of other models'."""
        return replace(self, messages=list(map(_without_images, self.messages)), images=False)

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


def _without_images(message: ModelMessage) -> ModelMessage:
    if not isinstance(message, ModelRequest):
        return message
    return replace(message, parts=[_blind(part) for part in message.parts])


def _blind(part: ModelRequestPart) -> ModelRequestPart:
    if not isinstance(part, UserPromptPart) or isinstance(part.content, str):
        return part
    note = "It is an image, and you are not shown images."
    shown = [note if isinstance(each, BinaryContent) else each for each in part.content]
    return replace(part, content=shown)


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
        case Told(text, files=files):
            return UserPromptPart([text, *_shown(files)] if files else text)
        case Returned(call_id, name, failed=failed):
            # As text: a result that looks like one of pydantic-ai's file parts stays what it is.
            outcome = "failed" if failed else "success"
            return ToolReturnPart(name, message.text, call_id, outcome=outcome)
        case Said():
            raise AssertionError("a response is no part of a request")


def _shown(files: Sequence[Attached]) -> Iterator[UserContent]:
    for file in files:
        yield file.shown
        if file.content is not None:
            yield BinaryContent(file.content, media_type=file.media_type)
