"""What a provider's failure leads to: another try, the next model, or the end of the task.

again       it may pass: 408, 409, 425, 429, 5xx, no connection, no answer in time, an answer that
            is no answer (garbage, half a stream). The same model is asked again, then the next.
next        it will not pass here, but another model is not concerned: a wrong or missing key, no
            credit, a model that is gone.
too_long    the request does not fit; a model with more room may take it.
never       the request itself was refused, or what was said in return was: another model would
            only hide what is wrong.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic_ai import exceptions as api

from lampwork.errors import ContextTooLong, ModelError, ModelUnavailable
from lampwork.models.ask import Ask, Message, Returned, Said, Told
from lampwork.types import Json

__all__ = [
    "Count",
    "Failure",
    "Verdict",
    "judge",
    "may_have_cost",
    "pause_after",
    "raised_by",
    "wants_rest",
]

Verdict = Literal["again", "next", "too_long", "never"]

LONGEST_PAUSE = 60.0
"""Seconds; a `Retry-After` beyond it is not waited for."""

_AGAIN = (
    api.ModelRateLimitError,
    api.ModelUnavailableError,
    api.ModelServerError,
    api.ModelConnectionError,
    api.ModelRequestTimeout,
    api.UnexpectedModelBehavior,
)
_NEXT = (
    api.ModelQuotaExceededError,
    api.ModelAuthenticationError,
    api.ModelNotFoundError,
    ModelError,
)
_TOO_LARGE = 413


@dataclass(slots=True)
class Count:
    """How often providers were asked for one reply."""

    requests: int = 0
    unmeasured: int = 0
    """Of these, how many failed and may have used tokens all the same."""
    _allowed: int = 0
    """After how many of those it was asked whether there may be another try."""
    _stopped: bool = False

    async def may_go_on(self, ask: Ask) -> bool:
        """Whether there may be another try, after those that may have cost something."""
        if self.unmeasured > self._allowed and ask.may_retry is not None and not self._stopped:
            self._allowed = self.unmeasured
            self._stopped = not await ask.may_retry()
        return not self._stopped

    @property
    def usage(self) -> dict[str, int]:
        """As a part of `Reply.usage`."""
        if not self.unmeasured:
            return {"requests": self.requests}
        return {
            "requests": self.requests,
            "unmeasured_requests": self.unmeasured,
            "unpriced_requests": self.unmeasured,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """How a model failed at the last try."""

    model: str
    error: Exception
    verdict: Verdict
    tries: int
    room: int | None = None
    """How many tokens a request may have, where this one had too many and it is known."""

    def to_json(self) -> dict[str, Json]:
        """For the fields of ModelUnavailable."""
        return {
            "model": self.model,
            "error_type": type(self.error).__name__,
            "message": str(self.error)[:500],
            "status_code": getattr(self.error, "status_code", None),
            "tries": self.tries,
        }

    def __str__(self) -> str:
        return f"{self._asked}: {type(self.error).__name__}: {str(self.error)[:500]}"

    @property
    def in_short(self) -> str:
        """Without what the service said, which may quote what it was sent."""
        return f"{self._asked}: {name_of(self.error)}"

    @property
    def _asked(self) -> str:
        times = {0: "not at all", 1: "once"}.get(self.tries, f"{self.tries} times")
        return f"{self.model} was asked {times} and did not answer usefully"


def name_of(error: Exception) -> str:
    """The class of an error, and the status that the service gave, if it gave one."""
    status = getattr(error, "status_code", None)
    return type(error).__name__ if status is None else f"{type(error).__name__} {status}"


def judge(error: Exception) -> Verdict:
    """What a failure leads to."""
    hint = error.provider_retry_hint if isinstance(error, api.ModelHTTPError) else None
    match error:
        case api.ModelContextWindowExceededError():
            return "too_long"
        case api.ModelHTTPError(status_code=status) if status == _TOO_LARGE:
            return "too_long"
        case api.ContentFilterError():
            return "never"
        case _ if isinstance(error, _AGAIN):
            return "next" if hint is False else "again"
        case _ if isinstance(error, _NEXT):
            return "next"
        case api.ModelRequestRejectedError():
            return "never"
        case api.ModelHTTPError(status_code=status):
            return "again" if status in (408, 409, 425) else "never"
        case api.ModelAPIError():
            return "again"  # without a category: what came is no answer in the provider's format
        case _:
            return "never"


def may_have_cost(error: Exception) -> bool:
    """Whether the provider may have worked, and charged, before it failed."""
    if isinstance(error, api.ModelConnectionError):
        return error.phase not in ("pool", "connect")
    if isinstance(error, api.ModelHTTPError):
        return error.in_stream
    return isinstance(error, api.ModelAPIError | api.UnexpectedModelBehavior)


def pause_after(error: Exception, attempt: int, first: float) -> float | None:
    """Seconds until the same model is asked again; None if it wants a longer pause than we make."""
    asked = getattr(error, "retry_after", None)
    if asked is not None:
        return asked if asked <= LONGEST_PAUSE else None
    return first * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)


def wants_rest(error: Exception) -> float | None:
    """Seconds for which the provider, asked too often, wants not to be asked; None if it says none.

    Never more than we would wait.
    """
    asked: float | None = getattr(error, "retry_after", None)
    if asked is None or not isinstance(error, api.ModelRateLimitError):
        return None
    return min(asked, LONGEST_PAUSE)


# --- what the task ends with ---


def raised_by(failures: Sequence[Failure], ask: Ask, count: Count) -> ModelError:
    """The error that says which models were asked, and how each failed."""
    first, last = failures[0], failures[-1]
    if all(each.verdict == "too_long" for each in failures):
        return _too_long(failures, ask, count)
    if len(failures) == 1 and isinstance(first.error, ModelError):
        return first.error
    return ModelUnavailable(
        "; ".join(map(str, failures)),
        model=first.model,
        attempts=count.requests,
        error_type=type(last.error).__name__,
        status_code=getattr(last.error, "status_code", None),
        tried=[each.to_json() for each in failures],
        usage=count.usage,
    )


LARGEST_PARTS = 5
"""So many are named."""


def _too_long(failures: Sequence[Failure], ask: Ask, count: Count) -> ContextTooLong:
    largest = _sizes(ask).most_common(LARGEST_PARTS)
    models = [each.model for each in failures]
    return ContextTooLong(
        f"The request is too long for {' and for '.join(models)}. Its largest parts, in "
        f"characters: {', '.join(f'{name} {length:,}' for name, length in largest)}. Give the task "
        "less, let skills return less, start a new conversation, or name a model with more room "
        "in fallbacks=.",
        model=models[0],
        models=models,
        parts=[{"name": name, "characters": length} for name, length in largest],
        usage=count.usage,
    )


def _sizes(ask: Ask) -> Counter[str]:
    """Characters by part: what the conversation held before this task is one of them."""
    sizes = Counter({"job description": len(ask.job_description)})
    for each in (*ask.skills, *ask.endings):
        sizes["skills' descriptions"] += len(each.description) + _length(each.parameters)
    before = len(ask.turn.history)
    for position, message in enumerate(ask.messages):
        for name, length in _parts(message):
            sizes["history" if position < before else name] += length
    return sizes


def _parts(message: Message) -> list[tuple[str, int]]:
    match message:
        case Told(text, parts, files):
            named = [(part.name, len(part.text)) for part in parts] or [("feedback", len(text))]
            return named + [(f"file {file.name}", len(file.shown)) for file in files]
        case Said(raw):
            return [("what the model said", _length(raw["parts"]))]
        case Returned(_, name, content):
            length = len(content) if isinstance(content, str) else _length(content)
            return [(f'result of skill "{name}"', length)]


def _length(value: Json) -> int:
    return len(json.dumps(value, ensure_ascii=False))
