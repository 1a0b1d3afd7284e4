"""What a request holds, piece by piece: its texts as they read once decoded, by their source.

This is the scan's view of the wire. Whatever `provider` sends must be in a piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from lampwork.models.ask import Ask, Attached, Described, Message, Returned, Said, Told
from lampwork.types import Json

__all__ = ["APART", "Piece", "pieces_of", "standing_pieces", "texts_in"]

APART = "\0"
"""Between texts of one piece, so that none is found across two."""

_ENDINGS = ("answer", "cannot_complete")
"""What a genie may call and is no skill."""

_WRONG = "what was wrong with the answer"

_SAY_NOTHING = frozenset({"part_kind", "timestamp"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a request."""

    source: str
    """As people call it: `instructions`, `result of skill look_up`, …"""
    text: str | None
    """All that it says; None when it can't be read."""


def standing_pieces(ask: Ask) -> list[Piece]:
    """What every request of the task holds."""
    described = [_described(f"schema of skill {each.name}", each) for each in ask.skills]
    described += [_described(f"schema of {each.name}", each) for each in ask.endings]
    return [Piece("job description", ask.job_description), *described]


def _described(source: str, each: Described) -> Piece:
    return Piece(source, texts_in([each.name, each.description, each.parameters]))


def pieces_of(message: Message) -> list[Piece]:
    """What one message holds."""
    match message:
        case Told(text, parts, files):
            pieces = [Piece(part.name, part.text) for part in parts] or [Piece(_WRONG, text)]
            pieces += [piece for file in files for piece in _attached(file)]
        case Said(raw):
            pieces = list(_said(raw["parts"]))
        case Returned(_, name, content, failed):
            source = f"{'error' if failed else 'result'} of skill {name}"
            pieces = [Piece(_WRONG if name in _ENDINGS else source, texts_in(content))]
    if message.earlier is None:
        return pieces
    return [Piece(f"earlier task {message.earlier}: {each.source}", each.text) for each in pieces]


def _attached(file: Attached) -> Iterator[Piece]:
    facts = [file.name, file.media_type, *file.notes]
    yield Piece(f"name of file {file.name}", texts_in(facts))
    if file.text is None:
        yield Piece(f"image {file.name}", None)
    else:
        yield Piece(f"file {file.name}", file.text)


def _said(parts: Sequence[dict[str, Json]]) -> Iterator[Piece]:
    """A response, in pydantic-ai's JSON: text, thinking and calls, each as it is sent again."""
    for part in parts:
        told = {key: value for key, value in part.items() if key not in _SAY_NOTHING}
        kind = part["part_kind"]
        if kind == "file":
            yield Piece("file by the genie", None)
            continue
        if kind == "thinking" and not part.get("content"):
            yield Piece("encrypted thoughts of the genie", None)
        is_skill = kind == "tool-call" and part["tool_name"] not in _ENDINGS
        source = f"arguments of skill {part['tool_name']}" if is_skill else "said by the genie"
        yield Piece(source, texts_in(told))


def texts_in(value: Json) -> str:
    """Every text and number inside a JSON value, and the keys."""
    return value if isinstance(value, str) else APART.join(_texts(value))


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, inner in cast(dict[str, Json], value).items():
                yield key
                yield from _texts(inner)
        case list():
            for inner in cast(list[Json], value):
                yield from _texts(inner)
        case bool() | None:
            pass
        case _:
            yield str(value)
