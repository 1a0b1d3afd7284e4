"""Models: the only package that knows pydantic-ai. `Ask` goes in, `Reply` comes out."""

from lampwork.models.ask import (
    Ask,
    Attached,
    Described,
    LanguageModel,
    Message,
    Part,
    Reply,
    Requested,
    Result,
    Returned,
    Said,
    TextDelta,
    Told,
    Turn,
    size,
)
from lampwork.models.playbook import (
    Answer,
    Call,
    Calls,
    CannotComplete,
    Playbook,
    playbook,
)
from lampwork.models.price import Price
from lampwork.models.resolve import Model, close, resolve

__all__ = [
    "Answer",
    "Ask",
    "Attached",
    "Call",
    "Calls",
    "CannotComplete",
    "Described",
    "LanguageModel",
    "Message",
    "Model",
    "Part",
    "Playbook",
    "Price",
    "Reply",
    "Requested",
    "Result",
    "Returned",
    "Said",
    "TextDelta",
    "Told",
    "Turn",
    "close",
    "playbook",
    "resolve",
    "size",
]
