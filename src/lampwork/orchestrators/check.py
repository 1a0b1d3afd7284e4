"""What a subtask's answer must pass before it is accepted: checks in code, and a judge."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, cast

from pydantic import BaseModel, Field

from lampwork.errors import ProjectError
from lampwork.runs.step import call_function
from lampwork.tasks.answer import TaskAnswer

__all__ = ["JUDGING", "AcceptanceCheck", "Verdict"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Verdict(BaseModel):
    """What a judge says of an answer."""

    accepted: bool
    reasons: list[str] = Field(
        default=[], description="What is wrong with it, so that it can be mended; else nothing."
    )


JUDGING = (
    "Judge whether the answer in the data is good enough by the rubric, which is in the data too. "
    "Judge nothing else. If you do not accept it, say what is wrong so that it can be mended."
)


@dataclass(frozen=True, eq=False)
class AcceptanceCheck(Generic[P, R_co]):
    """A function that looks at an answer. To Python it is that function."""

    name: str
    fn: Callable[P, R_co]

    @classmethod
    def define(cls, fn: Callable[P, R_co], name: str | None) -> AcceptanceCheck[P, R_co]:
        """A check of a function that takes the answer. Raises ProjectError."""
        name = name or str(getattr(fn, "__name__", type(fn).__name__))
        try:
            inspect.signature(fn).bind(None)
        except TypeError:
            raise ProjectError(
                f'Acceptance check "{name}" must take one argument: the TaskAnswer that it judges.'
            ) from None
        return cls(name, fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.fn(*args, **kwargs)

    @property
    def doc(self) -> str:
        """What it looks at, as the orchestrator reads it."""
        return inspect.getdoc(self.fn) or ""

    async def problems(self, answer: TaskAnswer[Any]) -> list[str]:
        """What is wrong with an answer; nothing if it is accepted."""
        said: Any = await call_function(self.fn, answer)
        match said:
            case None | True | "":
                return []
            case False:
                return [f'check "{self.name}" did not accept it']
            case str():
                return [said]
            case _:
                return [str(each) for each in cast(list[Any], said)]
