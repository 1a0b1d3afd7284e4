"""How much a task is shown of the conversation that it continues: all, its end, or a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lampwork.errors import InputInvalid
from lampwork.models.ask import Message, Part, Said, Told
from lampwork.types import Json

__all__ = ["Recent", "Summary", "from_earlier", "read_history", "recent", "summary"]


@dataclass(frozen=True, slots=True)
class Recent:
    """The end of the conversation: its last responses, `Recent(5)`, and all that came after."""

    responses: int

    def __post_init__(self) -> None:
        if self.responses < 1:
            raise InputInvalid(
                f"Recent({self.responses}) shows nothing. Give 1 or more, or continue no "
                "conversation.",
                problems=["history"],
            )

    def to_json(self) -> dict[str, Json]:
        """As it is recorded with the task."""
        return {"recent": self.responses}


@dataclass(frozen=True, slots=True)
class Summary:
    """What the genie's model sums the conversation up to before it begins: `Summary(words=200)`.

    It takes one more request, which counts like the others.
    """

    words: int = 400

    def __post_init__(self) -> None:
        if self.words < 1:
            raise InputInvalid(f"Summary(words={self.words}) says nothing.", problems=["history"])

    def to_json(self) -> dict[str, Json]:
        """As it is recorded with the task."""
        return {"summary": self.words}


def read_history(record: dict[str, Json] | None) -> Recent | Summary | None:
    """What `to_json` wrote."""
    match record:
        case {"recent": responses}:
            return Recent(responses)
        case {"summary": words}:
            return Summary(words)
        case _:
            return None


def recent(messages: Sequence[Message], responses: int) -> list[Message]:
    """The last so many responses with what came after them, and a note on what is left out.

    No result is left without the call that it belongs to.
    """
    said = [place for place, message in enumerate(messages) if isinstance(message, Said)]
    if len(said) <= responses:
        return list(messages)
    first = said[-responses]
    note = f"(The {first} messages before this are left out.)"
    return [from_earlier(note), *messages[first:]]


def summary(text: str) -> Told:
    """A summary as the genie is told it."""
    return from_earlier(f"A summary of the conversation before this task:\n{text}")


def from_earlier(text: str) -> Told:
    """What stands where the history was, or after it."""
    return Told(text, (Part("history", text),))
