"""Playbooks: models made of plain code, for stories, tests and days without a model account.

@playbook
def clerk(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("approve_invoice", note="the amounts match")
    return Answer({"status": "approved", "reason": "the amounts match"})
"""

from __future__ import annotations

import inspect
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from pydantic_core import to_jsonable_python
from typing_extensions import TypeVar

from lampwork.errors import ModelError, PlaybookFailed
from lampwork.logs import place_of
from lampwork.models.ask import Ask, Reply, Requested, TextDelta, Turn
from lampwork.models.price import FREE, Price
from lampwork.types import Json

__all__ = ["Answer", "Call", "Calls", "CannotComplete", "Playbook", "playbook", "reply_of"]

_log = logging.getLogger("lampwork.models")


@dataclass(frozen=True, slots=True, init=False)
class Call:
    """Call a skill: `Call("approve_invoice", note="…")`."""

    skill: str
    arguments: dict[str, Json]

    def __init__(self, skill: Any, /, **arguments: Any) -> None:
        object.__setattr__(self, "skill", skill if isinstance(skill, str) else skill.name)
        object.__setattr__(self, "arguments", to_jsonable_python(arguments))


@dataclass(frozen=True, slots=True, init=False)
class Calls:
    """Call several skills at once: `Calls(Call("look_up"), Call("weigh", wrapped=True))`."""

    calls: tuple[Call, ...]

    def __init__(self, *calls: Call) -> None:
        object.__setattr__(self, "calls", calls)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the task, with a text, `Answer("It is paid.")`, or a value of its output type."""

    value: Any
    text: str = ""


@dataclass(frozen=True, slots=True)
class CannotComplete:
    """End the task without an answer: `CannotComplete("No order.", missing=["order"])`."""

    reason: str
    missing: Sequence[str] = ()


Decision = Call | Calls | Answer | CannotComplete

D_co = TypeVar("D_co", bound=Decision | Awaitable[Decision], covariant=True, default=Any)


@dataclass(frozen=True, eq=False)
class Playbook(Generic[D_co]):
    """A model that follows a function. It must decide the same for the same turn."""

    fn: Callable[[Turn], D_co]

    @property
    def name(self) -> str:
        """`playbook:<function>`, so that it says what it is wherever it shows."""
        return f"playbook:{self.fn.__name__}"

    def __call__(self, turn: Turn) -> D_co:
        return self.fn(turn)

    @property
    def uses_tokens(self) -> bool:
        """It has none."""
        return False

    @property
    def counts_alike(self) -> bool:
        """It counts none."""
        return True

    @property
    def max_output_tokens(self) -> int | None:
        """It has no tokens, and so no limit."""
        return None

    @property
    def sees(self) -> bool:
        """It is given images as they are."""
        return True

    @property
    def paced_as(self) -> tuple[str, ...]:
        """Its name."""
        return (self.name,)

    def check(self) -> None:
        """A playbook can always be asked."""

    def price(self, input_tokens: int | None = None) -> Price:
        """Nothing."""
        return FREE

    async def respond(self, ask: Ask) -> Reply:
        """What the function decides, as a response like any other. Raises PlaybookFailed."""
        try:
            decided: Any = self.fn(ask.turn)
            decision: Any = await decided if inspect.isawaitable(decided) else decided
            text, asked = _spell(decision, ask)
        except ModelError:
            raise
        except Exception as error:
            at = _place(self.fn, error)
            facts = {
                "event": "playbook.raised",
                "playbook": self.name,
                "task_id": ask.task_id,
                "error_type": type(error).__name__,
                "at": at,
            }
            said = "%(playbook)s raised %(error_type)s in task %(task_id)s at %(at)s"
            _log.error(said, facts, extra=facts)
            raise PlaybookFailed(
                f"{self.name} raised {type(error).__name__}: {error} ({at}). Mend the playbook.",
                playbook=self.name,
                error_type=type(error).__name__,
            ) from error
        return reply_of(self.name, ask, text, asked)


def _place(fn: Callable[..., Any], error: Exception) -> str | None:
    """Where a function has raised, or stands that has returned what it may not."""
    at = place_of("".join(traceback.format_tb(error.__traceback__)))
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None or (at is not None and not at.startswith(f"{__file__}:")):
        return at
    return f"{code.co_filename}:{code.co_firstlineno}"


def reply_of(
    name: str, ask: Ask, text: str, asked: Sequence[tuple[str, dict[str, Json] | str | None]]
) -> Reply:
    """A response like any other: this text, and calls of these names with these arguments."""
    calls = tuple(
        Requested(f"call_{ask.number}_{i}", called, arguments)
        for i, (called, arguments) in enumerate(asked)
    )
    if text and ask.on_text is not None:
        ask.on_text(TextDelta(ask.task_id, ask.number, 1, text))
    usage = {"requests": 1, "cost_nanodollars": 0}
    return Reply(text, calls, _raw(name, text, calls), name, usage)


def playbook(fn: Callable[[Turn], D_co]) -> Playbook[D_co]:
    """Make a playbook of a plain or async function."""
    return Playbook(fn)


def _spell(decision: Any, ask: Ask) -> tuple[str, list[tuple[str, dict[str, Json]]]]:
    """A decision as the text and the calls that a model would have sent."""
    match decision:
        case Call():
            return "", [(decision.skill, decision.arguments)]
        case Calls():
            return "", [(call.skill, call.arguments) for call in decision.calls]
        case CannotComplete() if ask.text_ends and not ask.endings:
            raise TypeError("it returned CannotComplete in a chat. Answer with what is in the way")
        case CannotComplete():
            reason = {"reason": decision.reason, "missing": list(decision.missing)}
            return "", [("cannot_complete", reason)]
        case Answer() if ask.text_ends:
            value = decision.value
            text = value if isinstance(value, str) else json.dumps(to_jsonable_python(value))
            return text, []
        case Answer():
            value = to_jsonable_python(decision.value, by_alias=True)
            return decision.text, [("answer", {"answer": value} if ask.wrapped else value)]
        case _:
            raise TypeError(f"it returned {decision!r}, not Call, Calls, Answer or CannotComplete")


def _raw(name: str, text: str, calls: Sequence[Requested]) -> dict[str, Json]:
    """The response in pydantic-ai's JSON, so that a real model can go on from it."""
    parts: list[Json] = [{"content": text, "part_kind": "text"}] if text else []
    parts += [
        {
            "tool_name": call.name,
            "args": call.arguments,
            "tool_call_id": call.id,
            "part_kind": "tool-call",
        }
        for call in calls
    ]
    return {"parts": parts, "model_name": name, "kind": "response"}
