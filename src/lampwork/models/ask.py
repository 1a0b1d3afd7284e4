"""What is asked of a model in one turn, and what it replies: the seam between genies and models."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Protocol, cast

from lampwork.models.price import Price
from lampwork.types import Json

__all__ = [
    "Ask",
    "Attached",
    "Described",
    "LanguageModel",
    "Message",
    "Part",
    "Reply",
    "Requested",
    "Result",
    "Returned",
    "Said",
    "TextDelta",
    "Told",
    "Turn",
    "size",
    "size_of",
]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what a genie was told, by the name of its source: `instructions`, `data`, …"""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a task, as a request or a playbook has it."""

    name: str
    media_type: str
    digest: str
    """SHA-256 of the file, in hex."""
    text: str | None
    """As it was extracted; None of an image."""
    content: bytes | None = field(default=None, repr=False)
    """Of an image."""
    notes: tuple[str, ...] = ()
    """What to know of the text: a guessed encoding, pages without any."""

    @property
    def shown(self) -> str:
        """What stands before an image, or the text in a frame that it can't end itself."""
        facts = f'name="{escape(self.name)}" type="{escape(self.media_type)}"'
        if self.notes:
            facts += f' note="{escape("; ".join(self.notes))}"'
        if self.text is None:
            return f"<file {facts}/>"
        return f"<file {facts}>\n{escape(self.text, quote=False)}\n</file>"


@dataclass(slots=True)
class Told:
    """Something that the genie was told: a task, or why it is asked again."""

    text: str
    parts: tuple[Part, ...] = field(default=(), compare=False)
    """What the text is made of, where it has more than one source."""
    files: tuple[Attached, ...] = ()
    """What is shown after the text."""
    earlier: str | None = field(default=None, compare=False)
    """The earlier task of the conversation that it is of; None: the task in hand."""
    bytes: int | None = field(default=None, compare=False, repr=False)
    """Room for `size`."""


@dataclass(slots=True)
class Said:
    """An earlier response, in pydantic-ai's own JSON."""

    raw: dict[str, Json]
    parsed: Any = field(default=None, compare=False)
    """Room for the model layer to keep what it made of `raw`."""
    earlier: str | None = field(default=None, compare=False)
    """The earlier task of the conversation that it is of; None: the task in hand."""
    bytes: int | None = field(default=None, compare=False, repr=False)
    """Room for `size`."""


@dataclass(slots=True)
class Returned:
    """What came of one call of an earlier response."""

    call_id: str
    name: str
    content: Json
    failed: bool = False
    earlier: str | None = field(default=None, compare=False)
    """The earlier task of the conversation that it is of; None: the task in hand."""
    bytes: int | None = field(default=None, compare=False, repr=False)
    """Room for `size`."""

    @property
    def text(self) -> str:
        """As the model is sent it: what is no text as JSON."""
        if isinstance(self.content, str):
            return self.content
        return json.dumps(self.content, ensure_ascii=False, separators=(",", ":"))


Message = Told | Said | Returned


@dataclass(frozen=True, slots=True)
class Described:
    """Something that the model may call: a skill, or a way to end the task."""

    name: str
    description: str
    parameters: dict[str, Json]

    def to_json(self) -> dict[str, Json]:
        """Its fields. Not `asdict`, whose deep copy of a schema costs 1 % of a recipe."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a skill call of this task, as a playbook sees it."""

    skill: str
    arguments: dict[str, Json]
    value: Json = None
    """What it returned, as JSON."""
    error: str | None = None
    """Why it failed; None if it did not."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a playbook decides on: the task, and what has come of it so far."""

    instructions: str
    data: Json
    """What the task is about. One that goes on with a conversation and brings neither data nor
    files has here what its conversation was given last, as a model sees it there."""
    files: tuple[Attached, ...]
    skills: tuple[str, ...]
    """The names of those that may be called."""
    results: tuple[Result, ...]
    """What came of the task's calls so far, in their order."""
    number: int
    """1 for the first turn of the task."""
    feedback: tuple[str, ...]
    """What was wrong with the last reply, when it is asked for again."""
    on_problem: str | None = None
    history: tuple[Message, ...] = ()
    """What the conversation held before this task."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of text that a genie is just saying.

    A reply can break off and be asked for again: then its text begins anew, under the next
    `attempt`, and what came under the ones before is void.
    """

    task_id: str
    number: int
    """Of the entry that the response will be in its conversation."""
    attempt: int
    text: str


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
    max_output_tokens: int | None = None
    """What the response may hold at the most; the model's own setting counts where it is smaller.
    """
    on_text: Callable[[TextDelta], None] | None = None
    """Who hears the text while it is said; without anybody nothing is streamed."""
    may_retry: Callable[[], Awaitable[bool]] | None = None
    """Asked after a try that failed and may have cost as much as a reply, before another one."""
    in_turn: Callable[[tuple[str, ...]], Awaitable[None]] | None = None
    """Returns when a model may be asked another time, by the names that `paced_as` gives."""
    slow_down: Callable[[tuple[str, ...], float], Awaitable[None]] | None = None
    """Told for how many seconds a model wants not to be asked, by anybody."""


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
    """What it took, for all tries together; each number adds up over replies.

    requests                                how often the model was asked
    input_tokens, output_tokens             all of them
    cache_read_tokens, cache_write_tokens   of the input, what the provider's cache held or took
    cost_nanodollars                        billionths of a dollar, rounded up
    unpriced_requests                       those whose cost is unknown, and not in the sum
    unmeasured_requests                     those that may have used tokens; nobody said how many

    Only what is not zero is there, except `requests`, a provider's model's two sums of tokens, and
    a cost that is known.
    """
    truncated: bool = False
    """Whether the model stopped at the limit of output tokens, in the middle of what it said."""

    def writable(self) -> Reply:
        """As text that can be written down: a model may be cut off within a surrogate pair."""
        try:
            json.dumps(self.raw, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            calls = (replace(call, arguments=_mended(call.arguments)) for call in self.calls)
            mended = {"text": _mended(self.text), "raw": _mended(self.raw), "calls": tuple(calls)}
            return replace(self, **mended)
        return self


def _mended(value: Json) -> Json:
    """A value with U+FFFD for each half of a surrogate pair."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            found = cast(dict[str, Json], value)
            return {_mended(name): _mended(each) for name, each in found.items()}
        case list():
            return [_mended(each) for each in cast(list[Json], value)]
        case _:
            return value


class LanguageModel(Protocol):
    """Whatever can reply: a provider's model or a playbook."""

    @property
    def name(self) -> str:
        """How records and people call it."""
        ...

    @property
    def uses_tokens(self) -> bool:
        """Whether there is anything to count: not of a playbook."""
        ...

    @property
    def counts_alike(self) -> bool:
        """Whether all replies come from one model: what it counted once, it counts so again."""
        ...

    @property
    def max_output_tokens(self) -> int | None:
        """What one response holds at the most by the model's own setting; None: nothing is set."""
        ...

    @property
    def sees(self) -> bool:
        """Whether it takes images, as far as is known."""
        ...

    @property
    def paced_as(self) -> tuple[str, ...]:
        """The names under which it may be limited how often it is asked: of its provider, its own.

        Of a model at an address of its own that host is named in the provider's place.
        """
        ...

    def check(self) -> None:
        """Raise ModelUnknown or ModelKeyMissing, without any request."""
        ...

    def price(self, input_tokens: int | None = None) -> Price | None:
        """The dearest rates that a request can be charged at; None if any of them is unknown.

        `input_tokens` is what the request holds at the most, where prices depend on it.
        """
        ...

    async def respond(self, ask: Ask) -> Reply:
        """Reply. Raises ModelUnavailable, PlaybookFailed, ContextTooLong."""
        ...


# --- how large a request is ---

_REQUEST = 1024
_MESSAGE = 16
"""What a provider adds to a request and to each message, in tokens at the most: Anthropic's own
instructions for tools are the longest, with 350 to 700 of them."""


_IMAGE = 65_536
"""Tokens of an image at the most, whatever its bytes: the dearest known are the 48,169 of
gpt-4o-mini in high detail."""


def size(ask: Ask) -> int:
    """UTF-8 bytes of all that the request holds: its input tokens are no more than that.

    Each message is measured once. A model's tokens hold a byte at least, and what providers add is
    allowed for.
    """
    described = sum(map(_described, (*ask.skills, *ask.endings)))
    fixed = _REQUEST + len(ask.job_description.encode()) + described
    return fixed + size_of(ask.messages)


def size_of(messages: Iterable[Message]) -> int:
    """What these messages are of the size of a request."""
    return sum(each.bytes or _measure(each) for each in messages)


def _measure(message: Message) -> int:
    match message:
        case Told(text, files=files):
            held = len(text.encode()) + sum(map(_file, files))
        case Said(raw):
            held = _json(raw)
        case Returned(call_id, name, content):
            text = content if isinstance(content, str) else None
            held = len(call_id) + len(name.encode())
            held += _json(content) if text is None else len(text.encode())
    message.bytes = held + _MESSAGE
    return message.bytes


def _file(file: Attached) -> int:
    image = 0 if file.text is not None else _IMAGE
    return len(file.shown.encode()) + image


def _described(each: Described) -> int:
    return len(each.name) + len(each.description.encode()) + _json(each.parameters) + _MESSAGE


def _json(value: Json) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
