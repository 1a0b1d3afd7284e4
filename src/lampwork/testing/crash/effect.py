"""What a recipe does in the world, as a test sees it from outside."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lampwork.types import Json

__all__ = ["Effect", "Probe", "Question", "as_effects", "new_since", "problems_of"]


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that has happened: what, in the same words in each run, and under which key."""

    what: str
    key: str | None = None
    """The idempotency key that the service was given; None if it was given none."""
    result: Json = None
    """What the service has answered: with it an unknown outcome is resolved."""

    def __hash__(self) -> int:
        return hash((self.what, self.key))


Probe = Callable[[], Iterable[Effect | str]]
"""All effects there are, each as often as it has happened."""


@dataclass(frozen=True, slots=True)
class Question:
    """An effect that was begun, and of which nobody knows whether it has happened."""

    wait_id: str
    name: str
    """The skill or the step."""
    key: str
    why: str


def as_effects(found: Iterable[Effect | str]) -> list[Effect]:
    """A text is an effect without a key."""
    return [Effect(each) if isinstance(each, str) else each for each in found]


def new_since(before: Sequence[Effect], now: Sequence[Effect]) -> list[Effect]:
    """Those that were not there before."""
    left, new = Counter(before), list[Effect]()
    for each in now:
        if left[each]:
            left[each] -= 1
        else:
            new.append(each)
    return new


def problems_of(undisturbed: Sequence[Effect], disturbed: Sequence[Effect]) -> Iterator[str]:
    """What is lost, doubled or new, compared with a run in which nothing went wrong."""
    should, did = _by_name(undisturbed), _by_name(disturbed)
    for what in should.keys() | did.keys():
        wanted, found = should.get(what, []), did.get(what, [])
        if not wanted:
            yield f'"{what}" happened, and does not when nothing crashes'
        elif len(_keys(found)) < len(_keys(wanted)):
            yield f'"{what}" is lost: it happened {_times(found)} instead of {_times(wanted)}'
        elif len(_keys(found)) > len(_keys(wanted)):
            yield f'"{what}" happened {_times(found)} instead of {_times(wanted)}{_why(found)}'


def _by_name(effects: Sequence[Effect]) -> dict[str, list[Effect]]:
    found: dict[str, list[Effect]] = defaultdict(list)
    for each in effects:
        found[each.what].append(each)
    return found


def _keys(effects: Sequence[Effect]) -> list[str | None]:
    """One for each that a service which honours keys would have done."""
    keyed = {each.key for each in effects if each.key is not None}
    return [*keyed, *(None for each in effects if each.key is None)]


def _times(effects: Sequence[Effect]) -> str:
    count = len(_keys(effects))
    return "once" if count == 1 else f"{count} times"


def _why(effects: Sequence[Effect]) -> str:
    if any(each.key is None for each in effects):
        return (
            ", without a key: do it in a job.step(…) and pass its key on, job.step_key() or "
            'call.idempotency_key, or say effect="at_most_once"'
        )
    return (
        ", each under another key: pass on the key that Lampwork gives, job.step_key() or "
        "call.idempotency_key, which is the same at each attempt"
    )
