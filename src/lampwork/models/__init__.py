"""Models: the only package that knows pydantic-ai. `Ask` goes in, `Reply` comes out."""

from lampwork.models.ask import (
    Ask,
    Described,
    LanguageModel,
    Message,
    Reply,
    Requested,
    Result,
    Returned,
    Said,
    Told,
    Turn,
)
from lampwork.models.playbook import (
    Answer,
    Call,
    Calls,
    CannotComplete,
    Playbook,
    playbook,
)
from lampwork.models.resolve import Model, close, resolve

__all__ = [
    "Answer",
    "Ask",
    "Call",
    "Calls",
    "CannotComplete",
    "Described",
    "LanguageModel",
    "Message",
    "Model",
    "Playbook",
    "Reply",
    "Requested",
    "Result",
    "Returned",
    "Said",
    "Told",
    "Turn",
    "close",
    "playbook",
    "resolve",
]
