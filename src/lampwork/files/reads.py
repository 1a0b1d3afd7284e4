"""What reading a file gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lampwork.errors import FileRejected
from lampwork.files.kinds import Kind
from lampwork.settings import ReadingCaps


@dataclass(frozen=True, slots=True)
class Read:
    """What a file was found to be, and to say."""

    kind: Kind
    text: str | None
    """None for an image."""
    notes: tuple[str, ...] = ()
    """What a person or a model must know who relies on the text."""


class Broken(Exception):
    """A file that is not read, and why: `problem`, and the cap of ReadingCaps that it broke."""

    def __init__(self, problem: str, cap: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cap = cap

    def rejecting(self, shown: str, *, file: str) -> FileRejected:
        """The error for who gave the file: as they know it, and by its name."""
        do = "Give another file."
        if self.cap is not None:
            do = f"Give a smaller one, or raise ReadingCaps.{self.cap} in the Settings."
        return FileRejected(
            f'File "{shown}" is rejected: {self.problem}. {do}', file=file, cap=self.cap
        )


def over(cap: str, caps: ReadingCaps, what: str) -> Broken:
    """`what` is more than a cap allows: `over("pages", caps, "it has 812 pages")`."""
    return Broken(f"{what}, and {getattr(caps, cap):,} is the most", cap)


def gathered(pieces: Iterable[str], caps: ReadingCaps) -> str:
    """The pieces of a text as one, as they come. Raises Broken at the first that is too many."""
    kept: list[str] = []
    count = 0
    for piece in pieces:
        count += len(piece)
        if count > caps.characters:
            raise over("characters", caps, "its text is longer than what is read")
        kept.append(piece)
    return "".join(kept)
