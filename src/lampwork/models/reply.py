"""A `Reply` from pydantic-ai's response, streamed or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, cast

import pydantic_ai
from pydantic_ai.messages import (
    ModelMessagesTypeAdapter,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
)
from pydantic_ai.models import StreamedResponse

from lampwork.models.ask import Reply, Requested
from lampwork.types import Json

__all__ = ["raw_of", "read", "stream"]


def read(response: ModelResponse, name: str, *usages: dict[str, int]) -> Reply:
    """What a response says and asks for. What it thinks is in `raw` only, for later requests."""
    usage: Counter[str] = Counter()
    for each in usages:
        usage.update(each)
    text = "\n".join(p.content for p in response.parts if isinstance(p, TextPart) and p.content)
    calls = tuple(
        Requested(part.tool_call_id, part.tool_name, cast(Any, part.args))
        for part in response.parts
        if isinstance(part, ToolCallPart)
    )
    return Reply(
        text,
        calls,
        raw_of(response),
        response.model_name or name,
        dict(usage),
        truncated=response.finish_reason == "length",
    )


async def stream(streamed: StreamedResponse, tell: Callable[[str], None]) -> ModelResponse:
    """Tell the text that comes, piece by piece; together the pieces are the text of the reply."""
    part = None
    async for event in streamed:
        match event:
            case PartStartEvent(index=index, part=TextPart(content=text)):
                pass
            case PartDeltaEvent(index=index, delta=TextPartDelta(content_delta=text)):
                pass
            case _:
                continue
        if text:
            tell(text if part in (None, index) else f"\n{text}")
            part = index
    return streamed.get()


def raw_of(response: ModelResponse) -> dict[str, Json]:
    """The response's own JSON without the fields that say nothing, which are two thirds of it."""
    raw: dict[str, Json] = ModelMessagesTypeAdapter.dump_python([response], mode="json")[0]
    raw = _said(raw.items())
    raw["parts"] = [_said(part.items()) for part in raw["parts"]]
    raw["usage"] = {key: value for key, value in raw["usage"].items() if value}
    raw["pydantic_ai"] = pydantic_ai.__version__
    return raw


def _said(items: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    return {key: value for key, value in items if value is not None}
