"""Calls of one job side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar, overload

from lampwork import origin
from lampwork.errors import BranchesFailed, CallNotAwaited, LampworkError, UnknownCall

if TYPE_CHECKING:
    from lampwork.runs.call import Call
    from lampwork.runs.flow import Flow
    from lampwork.types import CallKind

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T_co = TypeVar("T_co", covariant=True)

OnError = Literal["raise", "collect"]


class JobCall(Generic[T_co]):
    """A call that a recipe made: it has its number; `await` it once, or hand it to `gather`."""

    def __init__(self, flow: Flow, call: Call[Any]) -> None:
        self._flow = flow
        self._call = call
        self._started = False
        flow.unawaited[call.number] = call.label

    if not TYPE_CHECKING:  # to a type checker it has no other attributes

        def __getattr__(self, name: str) -> NoReturn:
            raise _not_awaited(self._call.label, name)

    def __await__(self) -> Generator[Any, None, T_co]:
        self._flow.unawaited.pop(self._call.number, None)
        self._flow.require_main("awaited")
        return self.perform().__await__()

    async def perform(self) -> T_co:
        """Do it, or read its record."""
        self._flow.unawaited.pop(self._call.number, None)
        if self._started:
            raise UnknownCall(
                f"{self._call.label} was awaited twice. Keep its value, or make the call again."
            )
        self._started = True
        try:
            return self._read(await self._flow.perform(self._call))
        except LampworkError as error:
            self._mark(error)
            raise

    def _read(self, value: Any) -> T_co:
        return value

    def _mark(self, error: LampworkError) -> None:
        origin.mark(error, self._call.number, self._flow.made)


class MapCall(JobCall[list[T]]):
    """The items of a `map`: each is a child job; errors are told apart when they are read."""

    def __init__(self, flow: Flow, call: Call[Any], on_error: OnError) -> None:
        super().__init__(flow, call)
        self._on_error: OnError = on_error

    def _read(self, value: Any) -> list[T]:
        for item in value:
            if isinstance(item, LampworkError):
                self._mark(item)
        return settle(value, self._on_error, self._call.label)


class Gather(Generic[T_co]):
    """Calls that run side by side; all settle before any error is raised."""

    def __init__(self, flow: Flow, calls: Sequence[Any], on_error: OnError) -> None:
        for call in calls:
            if not isinstance(call, JobCall | Gather):
                raise UnknownCall(
                    f"gather takes job calls, such as job.step(…), not {type(call).__name__}. "
                    "Wrap other work in job.step(…)."
                )
        self._flow = flow
        self._calls = calls
        self._on_error: OnError = on_error

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise _not_awaited("gather", name)

    def __await__(self) -> Generator[Any, None, T_co]:
        self._flow.require_main("awaited")
        return self.perform().__await__()

    async def perform(self) -> T_co:
        """Do all of them: a list of what they gave, in their order."""
        await self._flow.alive()
        branches = [asyncio.create_task(call.perform()) for call in self._calls]
        if not branches:
            return settle([], self._on_error, "gather")
        await self._flow.settled(branches)
        results = [branch.exception() or branch.result() for branch in branches]
        return settle(results, self._on_error, "gather")


def _not_awaited(label: str, name: str) -> CallNotAwaited:
    return CallNotAwaited(
        f"{label} has no {name} yet: `await` is missing. Put it before the call: "
        "value = await job.….",
        attribute=name,
    )


Branch = JobCall[T] | Gather[T]
"""What may run beside others: a call, or calls that run side by side themselves."""


class MakesCalls:
    """What the parts of a job's handle have in common: a call is made by the whole."""

    def _call(self, kind: CallKind, name: str, body: Any, **how: Any) -> JobCall[Any]:
        """Make a call of the job."""
        raise NotImplementedError


class SideBySide:
    """What a job has for running its calls side by side, with a type for each place."""

    _flow: Flow

    # As with asyncio.gather, few calls of one type each are a tuple to type checkers, which know
    # no list with a type for each place.

    @overload
    def gather(  # pyright: ignore[reportOverlappingOverload]
        self, a: Branch[T1], b: Branch[T2], /, *, on_error: Literal["raise"] = "raise"
    ) -> Gather[tuple[T1, T2]]: ...

    @overload
    def gather(
        self,
        a: Branch[T1],
        b: Branch[T2],
        c: Branch[T3],
        /,
        *,
        on_error: Literal["raise"] = "raise",
    ) -> Gather[tuple[T1, T2, T3]]: ...

    @overload
    def gather(
        self,
        a: Branch[T1],
        b: Branch[T2],
        c: Branch[T3],
        d: Branch[T4],
        /,
        *,
        on_error: Literal["raise"] = "raise",
    ) -> Gather[tuple[T1, T2, T3, T4]]: ...

    @overload
    def gather(
        self,
        a: Branch[T1],
        b: Branch[T2],
        c: Branch[T3],
        d: Branch[T4],
        e: Branch[T5],
        /,
        *,
        on_error: Literal["raise"] = "raise",
    ) -> Gather[tuple[T1, T2, T3, T4, T5]]: ...

    @overload
    def gather(
        self, *calls: Branch[T], on_error: Literal["raise"] = "raise"
    ) -> Gather[list[T]]: ...

    @overload
    def gather(  # pyright: ignore[reportOverlappingOverload]
        self, a: Branch[T1], b: Branch[T2], /, *, on_error: Literal["collect"]
    ) -> Gather[tuple[T1 | LampworkError, T2 | LampworkError]]: ...

    @overload
    def gather(
        self, a: Branch[T1], b: Branch[T2], c: Branch[T3], /, *, on_error: Literal["collect"]
    ) -> Gather[tuple[T1 | LampworkError, T2 | LampworkError, T3 | LampworkError]]: ...

    @overload
    def gather(
        self, *calls: Branch[T], on_error: Literal["collect"]
    ) -> Gather[list[T | LampworkError]]: ...

    def gather(self, *calls: Branch[Any], on_error: OnError = "raise") -> Gather[Any]:
        """Run calls of this job side by side; what they give, in their order.

        >>> grams, verdict = await job.gather(job.step(weigh, "Emma"), job.call(decide, "A-1017"))

        All settle; then BranchesFailed is raised, or errors are returned in place with
        `on_error="collect"`. Raises BranchesFailed, and UnknownCall for what is no job call.
        """
        return Gather(self._flow, calls, on_error)


def settle(results: list[Any], on_error: OnError, label: str) -> Any:
    """The results of branches, or their errors together.

    Raises BranchesFailed with `results` and `errors` by position, unless they are collected.
    """
    errors = {i: each for i, each in enumerate(results) if isinstance(each, BaseException)}
    if not errors or on_error == "collect":
        return results
    for error in errors.values():
        if not isinstance(error, Exception):
            raise error
    first = next(iter(errors.values()))
    raise BranchesFailed(
        f"{len(errors)} of {len(results)} branches of {label} failed; the first: {first}",
        results=[None if i in errors else each for i, each in enumerate(results)],
        errors=errors,
    )
