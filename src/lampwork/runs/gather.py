"""Calls of one job side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from lampwork import origin
from lampwork.errors import BranchesFailed, LampworkError, UnknownCall

if TYPE_CHECKING:
    from lampwork.runs.call import Call
    from lampwork.runs.flow import Flow

T = TypeVar("T")

OnError = Literal["raise", "collect"]


class JobCall(Generic[T]):
    """A call that a recipe made: it has its number; `await` it once, or hand it to `gather`."""

    def __init__(self, flow: Flow, call: Call[Any]) -> None:
        self._flow = flow
        self._call = call
        self._started = False
        flow.unawaited[call.number] = call.label

    def __await__(self) -> Generator[Any, None, T]:
        self._flow.unawaited.pop(self._call.number, None)
        self._flow.require_main("awaited")
        return self.perform().__await__()

    async def perform(self) -> T:
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

    def _read(self, value: Any) -> T:
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


class Gather:
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

    def __await__(self) -> Generator[Any, None, list[Any]]:
        self._flow.require_main("awaited")
        return self.perform().__await__()

    async def perform(self) -> list[Any]:
        """Do all of them."""
        await self._flow.alive()
        branches = [asyncio.create_task(self._branch(call)) for call in self._calls]
        if not branches:
            return []
        with self._flow.paused():
            try:
                await asyncio.wait(branches)
            except asyncio.CancelledError:
                for branch in branches:
                    branch.cancel()
                await asyncio.wait(branches)
        for branch in branches:
            if not branch.cancelled():
                branch.exception()  # seen, also if the run is over
        self._flow.check()
        if self._flow.interrupted is not None:
            raise self._flow.interrupted
        results = [branch.exception() or branch.result() for branch in branches]
        return settle(results, self._on_error, "gather")

    async def _branch(self, call: JobCall[Any] | Gather) -> Any:
        with self._flow.acting():
            return await call.perform()


def settle(results: list[Any], on_error: OnError, label: str) -> list[Any]:
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
