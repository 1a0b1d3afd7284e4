"""What is asked of a model in one turn, and what it replies: the seam between genies and models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lampwork.types import Json

__all__ = [
    "Ask",
    "Described",
    "LanguageModel",
    "Message",
    "Reply",
    "Requested",
    "Result",
    "Returned",
    "Said",
    "Told",
    "Turn",
]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that the genie was told: a task, or why it is asked again."""

    text: str


@dataclass(slots=True)
class Said:
    """An earlier response, in pydantic-ai's own JSON."""

    raw: dict[str, Json]
    parsed: Any = field(default=None, compare=False)
    """Room for the model layer to keep what it made of `raw`."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What came of one call of an earlier response."""

    call_id: str
    name: str
    content: Json
    failed: bool = False


Message = Told | Said | Returned


@dataclass(frozen=True, slots=True)
class Described:
    """Something that the model may call: a skill, or a way to end the task."""

    name: str
    description: str
    parameters: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a skill call of this task, as a playbook sees it."""

    skill: str
    arguments: dict[str, Json]
    value: Json = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a playbook decides on: the task, and what has come of it so far."""

    instructions: str
    data: Json
    files: tuple[Any, ...]
    skills: tuple[str, ...]
    results: tuple[Result, ...]
    number: int
    """1 for the first turn of the task."""
    feedback: tuple[str, ...]
    """What was wrong with the last reply, when it is asked for again."""
    on_problem: str | None = None
    history: tuple[Message, ...] = ()
    """What the conversation held before this task."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    task_id: str
    number: int
    """Of the entry that the response will be in its conversation."""
    job_description: str
    messages: Sequence[Message]
    skills: Sequence[Described]
    endings: Sequence[Described]
    """`answer`, when the answer is typed, and `cannot_complete`."""
    text_ends: bool
    """Whether plain text is an answer."""
    wrapped: bool
    """Whether the answer goes under the one key `answer`."""
    turn: Turn


@dataclass(frozen=True, slots=True)
class Requested:
    """One call that the model asks for; its arguments as they came, valid or not."""

    id: str
    name: str
    arguments: dict[str, Json] | str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """One response."""

    text: str
    calls: tuple[Requested, ...]
    raw: dict[str, Json]
    """In pydantic-ai's own JSON, for later requests."""
    model: str
    usage: dict[str, int]
    """`requests`, `input_tokens`, `output_tokens`."""


class LanguageModel(Protocol):
    """Whatever can reply: a provider's model or a playbook."""

    @property
    def name(self) -> str:
        """How records and people call it."""
        ...

    def check(self) -> None:
        """Raise ModelUnknown or ModelKeyMissing, without any request."""
        ...

    async def respond(self, ask: Ask) -> Reply:
        """Reply. Raises ModelUnavailable."""
        ...
