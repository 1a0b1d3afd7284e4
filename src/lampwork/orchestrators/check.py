"""What a subtask's answer must pass before it is accepted: checks in code, and a judge."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, get_type_hints

from pydantic import BaseModel, Field

from lampwork.errors import ArtifactNotFound, ProjectError, quoted
from lampwork.files.artifact import Artifact
from lampwork.files.snapshot import Snapshot
from lampwork.runs.step import call_function
from lampwork.tasks.answer import TaskAnswer
from lampwork.types import Json
from lampwork.values import storable

if TYPE_CHECKING:
    from lampwork.orchestrators.plan import Subtask

__all__ = ["JUDGING", "AcceptanceCheck", "CheckCall", "Verdict"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Verdict(BaseModel):
    """What a judge says of an answer."""

    accepted: bool
    reasons: list[str] = Field(
        default=[], description="What is wrong with it, so that it can be mended; else nothing."
    )


_MOST, _LONGEST = 100, 20_000
"""Reasons of one check, and characters of each, that are told."""

JUDGING = (
    "Judge whether the answer in the data is good enough by the rubric, which is in the data too. "
    "Judge nothing else. If you do not accept it, say what is wrong so that it can be mended."
)


@dataclass(frozen=True, slots=True)
class CheckCall:
    """What a check may look at beside the answer, for a parameter annotated `CheckCall`."""

    subtask: Subtask
    inputs: Mapping[str, Json]
    """What the agent was given, by name; in the place of a file its name."""
    files: Mapping[str, Snapshot | Artifact] = field(repr=False)
    """By name, what the answer has produced, and what its agent was given."""
    reading: Callable[[str], Awaitable[bytes]] = field(repr=False, compare=False)
    """The content of a file by its digest."""

    async def read_file(self, name: str) -> bytes:
        """The content of an artifact of the answer, or else of a file that its agent was given.

        Raises ArtifactNotFound.
        """
        if name not in self.files:
            raise ArtifactNotFound(
                f"Subtask {quoted(self.subtask.id)} has no file {quoted(name)}. "
                f"It has: {', '.join(self.files) or 'none'}."
            )
        return await self.reading(self.files[name].digest)


@dataclass(frozen=True, eq=False)
class AcceptanceCheck(Generic[P, R_co]):
    """A function that looks at an answer. To Python it is that function."""

    name: str
    fn: Callable[P, R_co]
    takes_call: str | None = None
    """The parameter that is a CheckCall, if it has one."""

    @classmethod
    def define(cls, fn: Callable[P, R_co], name: str | None) -> AcceptanceCheck[P, R_co]:
        """A check that takes the answer, and maybe a CheckCall. Raises ProjectError."""
        name = name or str(getattr(fn, "__name__", type(fn).__name__))
        call = _call_of(fn)
        try:
            inspect.signature(fn).bind(None, **({} if call is None else {call: None}))
        except TypeError:
            raise ProjectError(
                f'Acceptance check "{name}" must take the TaskAnswer that it judges, and nothing '
                "else but a parameter annotated CheckCall."
            ) from None
        return cls(name, fn, call)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.fn(*args, **kwargs)

    @property
    def doc(self) -> str:
        """What it looks at, as the orchestrator reads it."""
        return inspect.getdoc(self.fn) or ""

    async def problems(self, answer: TaskAnswer[Any], call: CheckCall) -> list[str]:
        """What is wrong with an answer; nothing if it is accepted."""
        more = {} if self.takes_call is None else {self.takes_call: call}
        said: Any = await call_function(self.fn, answer, **more)
        match said:
            case None | True | "":
                return []
            case False:
                return [f'check "{self.name}" did not accept it']
            case str():
                return [_reason(said)]
            case _:
                return [_reason(each) for each in islice(cast(Iterable[Any], said), _MOST)]


def _reason(said: Any) -> str:
    """A reason as it can be written down and told, whatever was found in the answer."""
    text = storable(str(said))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _call_of(fn: Callable[..., Any]) -> str | None:
    """The parameter of a check that is annotated as a CheckCall."""
    try:
        hints = get_type_hints(inspect.unwrap(fn))
    except (NameError, TypeError):  # of a type that only a type checker knows, or no function
        hints = dict[str, Any](getattr(fn, "__annotations__", {}))
    found = (name for name, hint in hints.items() if hint in (CheckCall, CheckCall.__name__))
    return next(found, None)
