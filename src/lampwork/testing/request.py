"""What a model was shown, kept for a test to look at."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lampwork.errors import (
    LiveModelRefused,
    PlaybookFailed,
    RecordingDiffers,
    ScriptCallInvalid,
    ScriptEnded,
)
from lampwork.models.ask import Ask, Reply
from lampwork.models.before import BeforeModel
from lampwork.models.pieces import APART, Piece, pieces_of, standing_pieces
from lampwork.types import Json

__all__ = ["Request", "Watched"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a genie's model: all that it holds.

    >>> assert "inv_8f41c2" not in request
    """

    genie: str
    task_id: str
    turn: int
    """1 for the first one of its task."""
    instructions: str
    data: Json
    skills: tuple[str, ...]
    """The names of those that the model may call."""
    pieces: tuple[Piece, ...] = field(repr=False)
    """Every text in it, by its source: `job description`, `schema of skill wire`, `data`, …"""

    @property
    def text(self) -> str:
        """Every text in it, one under the other."""
        return "\n".join(each.text.replace(APART, "\n") for each in self.pieces if each.text)

    def __contains__(self, value: str) -> bool:
        return value in self.text


@dataclass(frozen=True, slots=True)
class Watched(BeforeModel):
    """A model whose requests are kept."""

    genie: str
    requests: list[Request]
    mistakes: list[Exception]
    """Those of the test itself are kept here: a genie or a recipe may go on after an error."""

    def check(self) -> None:
        """Raise ModelUnknown, ModelKeyMissing, LiveModelRefused."""
        with self._keeping_mistakes():
            self.model.check()

    async def respond(self, ask: Ask) -> Reply:
        """The model's reply, after the request was kept."""
        messages = [piece for message in ask.messages for piece in pieces_of(message)]
        self.requests.append(
            Request(
                genie=self.genie,
                task_id=ask.task_id,
                turn=ask.turn.number,
                instructions=ask.turn.instructions,
                data=ask.turn.data,
                skills=ask.turn.skills,
                pieces=(*standing_pieces(ask), *messages),
            )
        )
        with self._keeping_mistakes():
            return await self.model.respond(ask)

    @contextmanager
    def _keeping_mistakes(self) -> Generator[None]:
        try:
            yield
        except (LiveModelRefused, ScriptEnded, ScriptCallInvalid, RecordingDiffers) as error:
            self.mistakes.append(error)
            raise
        except PlaybookFailed as error:
            if isinstance(error.__cause__, AssertionError):  # of a playbook, about what it is shown
                self.mistakes.append(error.__cause__)
            raise
