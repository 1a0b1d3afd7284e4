"""From which calls of its recipe an error came: where a retry of the job begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lampwork.errors import BranchesFailed

_MARK = "_lampwork_origin"


@dataclass(frozen=True, slots=True)
class Origin:
    """The calls that an error came from."""

    calls: tuple[int, ...]
    """Their numbers."""
    made: int
    """The last call that the recipe had made when it learned of the first of them. What it made
    later may depend on their failure, what it made before can't."""


def mark(error: BaseException, call: int, made: int) -> None:
    """Note that an error is what a call gave to its recipe, which had made `made` calls by then."""
    vars(error).setdefault(_MARK, Origin((call,), made))


def of(error: BaseException) -> Origin | None:
    """Where an error came from: the calls next to it in its chain of causes, if there are any.

    Of calls side by side, all that failed. An error that was caught, and is not in the chain of
    the one that ended the recipe, is of no account.
    """
    found = tuple(_nearest(error, set()))
    if not found:
        return None
    calls = sorted({call for origin in found for call in origin.calls})
    return Origin(tuple(calls), min(origin.made for origin in found))


def _nearest(error: BaseException, seen: set[int]) -> Iterator[Origin]:
    if id(error) in seen:
        return
    seen.add(id(error))
    if (marked := vars(error).get(_MARK)) is not None:
        yield marked
        return
    within: list[BaseException | None] = []
    if isinstance(error, BranchesFailed):
        within = list(error.fields["errors"].values())
    elif isinstance(error, BaseExceptionGroup):
        within = list(error.exceptions)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    elif error.__cause__ is not None:
        within = [error.__cause__]
    elif not error.__suppress_context__:
        within = [error.__context__]
    for each in within:
        if each is not None:
            yield from _nearest(each, seen)
