"""A recipe's way through its calls: in which order it makes them, and what is on record of each.

A job may be run many times, and each time its recipe starts from the beginning; so every call is
compared with the record first. What is done about a call that is on no record, differs between
those who lead a recipe through: a `Run` does it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lampwork import values
from lampwork.errors import (
    CallInterrupted,
    OutputInvalid,
    ResultNotRecordable,
    StoreUnavailable,
    UnknownCall,
)
from lampwork.runs.lanes import Lane
from lampwork.runs.line import Lines
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie
    from lampwork.project import Project
    from lampwork.runs.call import Call
    from lampwork.runs.wait import Wait
    from lampwork.store.jobs import jobs
    from lampwork.store.store import Store

T = TypeVar("T")

_PATIENCE = 100
"""How often a recipe may go on after it was told that its run is over: nested `finally`s do."""

_log = logging.getLogger("lampwork.job")

EndReason = Literal["parked", "cancelled", "deposed", "attention", "infrastructure", "closing"]


class RunEnded(BaseException):
    """This run is over; the job may go on in another one.

    Not an `Exception`, so that a recipe's `except Exception` does not mistake it for a failure of
    its work. Every job call of an ended run raises it without starting.
    """

    def __init__(self, job_id: str, reason: EndReason) -> None:
        super().__init__(f"this run of job {job_id} is over: {reason}")
        self.reason: EndReason = reason


class Flow(ABC):
    """One recipe of one job, on its way through its calls."""

    def __init__(self, begun: jobs.Begun) -> None:
        self.job_id: str = begun.row.id
        self.row = begun.row
        self.lineage = begun.lineage
        self.ended: EndReason | None = None
        self.interrupted: CallInterrupted | None = None
        self.main = asyncio.current_task()
        self.unawaited: dict[int, str] = {}
        """Calls that were made and not begun, by number."""
        self.made = 0
        """The number of the last call that was made."""
        self.lines = Lines()
        self.lanes: dict[asyncio.Task[Any], Lane] = {}
        """What goes on beside the recipe's own flow, in an order of its own."""
        self._begun = begun.calls
        self._numbers: set[int] = set()
        self._busy = 1
        self._ignored = 0

    # --- what differs between those who lead a recipe through ---

    @property
    @abstractmethod
    def project(self) -> Project:
        """The project whose code it is."""

    @property
    @abstractmethod
    def store(self) -> Store:
        """The database."""

    @abstractmethod
    def require_model(self, genie: Genie) -> None:
        """Raise ModelUnknown, ModelKeyMissing if the genie's model can't be asked from here."""

    @abstractmethod
    async def _unrecorded(self, call: Call[Any]) -> str:
        """The envelope of a call that is on no record, and fits what was begun under its number."""

    @abstractmethod
    def _came_to_rest(self) -> None:
        """Nothing executes any more: all unfinished calls only wait."""

    @abstractmethod
    def differ(self, why: str, *, at: int | None = None) -> RunEnded:
        """The code no longer fits what was begun, as call `at` shows. Returns what to raise."""

    @abstractmethod
    def unavailable(self, error: BaseException) -> RunEnded:
        """The database can't be read or written for now. Returns what to raise."""

    @abstractmethod
    def log(self, message: str) -> bool:
        """Keep a line that the recipe logged; False if an earlier run has, or this one is over."""

    @abstractmethod
    def on_end(self, callable: str, input: Json) -> None:
        """Register what is to run when the job has ended, unless an earlier run has."""

    @abstractmethod
    async def heard(self, wait: Wait, has_come: Callable[[], Awaitable[bool]]) -> None:
        """Return when a wait that no table has is answered, or `has_come` says so."""

    @abstractmethod
    async def changed(self, change: Callable[..., bool], *what: Any) -> bool:
        """What a change returns that stands on no record of calls. Raises RunEnded."""

    # --- its end ---

    def check(self) -> None:
        """Raise RunEnded if it is over. Asked before anything is started."""
        if self.ended is not None:
            raise RunEnded(self.job_id, self.ended)

    async def alive(self) -> None:
        """Raise RunEnded if it is over; a recipe that ignores it again and again stays here.

        `while True: try: … except BaseException: pass` around a call would never give the event
        loop back, and all jobs would stand still.
        """
        if self.ended is not None and asyncio.current_task() is self.main:
            self._ignored += 1
            if self._ignored > _PATIENCE:
                facts = {"event": "job.ignores_its_end", "job_id": self.job_id}
                said = "job %s: its recipe ignores that its run is over"
                _log.error(said, self.job_id, extra=facts)
                await asyncio.get_running_loop().create_future()
        self.check()

    def returned(self) -> None:
        """The recipe has returned. Raises CallInterrupted, UnknownCall for what it left."""
        if self.interrupted is not None:
            raise self.interrupted
        if self.unawaited:
            raise UnknownCall(
                f"{', '.join(self.unawaited.values())}: made and never awaited, so it did not "
                "happen. Put `await` before it."
            )

    @property
    def missing(self) -> list[int]:
        """The numbers of calls that were written down when they began, and were not made now."""
        opened = {number for number, row in self._begun.items() if row.attempts}
        return sorted(opened - self._numbers)

    async def require_all_begun(self, outcome: values.Outcome) -> None:
        """The recipe has ended with that. Raises RunEnded if it is over, or if code is missing."""
        self.check()
        if not (missing := self.missing):
            return
        names = ", ".join(f"{self._begun[n].kind} {self._begun[n].name}" for n in missing)
        how = f", with {outcome.error['message']}," if isinstance(outcome, values.Failure) else ""
        raise self.differ(
            f"its code ended{how} without the calls that were begun: {names}. "
            "Bring them back, or cancel the job.",
            at=missing[0],
        )

    # --- activities ---

    @contextmanager
    def acting(self) -> Generator[None]:
        """One more activity executes."""
        self._stir()
        try:
            yield
        finally:
            self._rest()

    @contextmanager
    def paused(self) -> Generator[None]:
        """The current activity only waits, for an answer or for what others do."""
        self._rest()
        try:
            yield
        finally:
            self._stir()

    @contextmanager
    def handed_over(self, branches: Sequence[asyncio.Task[Any]]) -> Generator[None]:
        """The current activity only waits for these, each of which is one until it has ended.

        From their creation on, and until the current one goes on: a task begins, and whoever waits
        for it wakes, in a later turn of the event loop, and nothing would execute in between.
        """
        going, has_left = len(branches), False

        def ended(_branch: asyncio.Task[Any]) -> None:
            nonlocal going
            going -= 1
            if going or has_left:
                self._rest()  # else the current one goes on in its place

        for each in branches:
            each.add_done_callback(ended)
            self._stir()
        self._rest()
        try:
            yield
        finally:
            has_left = True
            if going:
                self._stir()

    @property
    def busy(self) -> bool:
        """Whether anything executes; if not, all unfinished calls only wait."""
        return self._busy > 0

    @property
    def activities(self) -> int:
        """How many execute."""
        return self._busy

    def _stir(self) -> None:
        self._busy += 1

    def _rest(self) -> None:
        self._busy -= 1
        if not self._busy and self.ended is None:
            self._came_to_rest()

    # --- calls ---

    def reserve(self) -> int:
        """The number of a call, taken when it is made. In a run that is over it is never begun.

        Raises UnknownCall outside the recipe's own flow, where the order of calls could change
        from run to run.
        """
        self.require_main("made")
        lane = self._lane
        number = self.made + 1 if lane is None else lane.take()
        self.made = max(self.made, number)
        self._numbers.add(number)
        return number

    @property
    def _lane(self) -> Lane | None:
        """The lane that this is; None in the recipe's own flow."""
        return self.lanes.get(asyncio.current_task()) if self.lanes else None  # type: ignore[arg-type]

    def on_record(self) -> tuple[str, str] | None:
        """Kind and name of what the call that is made next was begun as, if it has been."""
        lane = self._lane
        begun = self._begun.get(self.made + 1 if lane is None else lane.next)
        return None if begun is None else (begun.kind, begun.name)

    def require_main(self, what: str) -> None:
        """Raise UnknownCall unless this is the recipe's own flow."""
        try:
            here = asyncio.current_task()
        except RuntimeError:  # in a thread
            here = None
        if here is not self.main and here not in self.lanes:
            raise UnknownCall(
                f"A job call was {what} outside its recipe: inside a step, a thread, or an asyncio "
                "task of your own. Make it in the recipe, and run calls side by side with "
                "job.gather(…) or job.map(…)."
            )

    async def settled(self, branches: Sequence[asyncio.Task[Any]]) -> None:
        """Wait, doing nothing else, until branches that go on side by side have ended."""
        with self.handed_over(branches):
            try:
                await asyncio.wait(branches)
            except asyncio.CancelledError:
                for branch in branches:
                    branch.cancel()
                await asyncio.wait(branches)
        for branch in branches:
            if not branch.cancelled():
                branch.exception()  # seen, also if the run is over
        self.check()
        if self.interrupted is not None:
            raise self.interrupted

    async def perform(self, call: Call[T]) -> T:
        """Do a call, or read its record; its value, or its error raised."""
        try:
            if call.line is not None:
                self.lines.join(call.line, call.number)
            envelope = await self.store.unfold(await self._envelope(call))
        except StoreUnavailable as error:
            raise self.unavailable(error) from error
        except asyncio.CancelledError:
            self.check()
            self.interrupted = CallInterrupted(
                f"{call.label} was cancelled from outside, as asyncio.timeout() does; a replay "
                "could not do the same. Use job.options(timeout=…) or wait_for(…, timeout=…)."
            )
            raise self.interrupted from None
        finally:
            if call.line is not None:
                self.lines.leave(call.line, call.number)
        text = values.text_of(values.read(envelope))
        try:
            value = values.decode(text, call.annotation, call.label)
            return value if call.read is None else call.read(value)
        except (ResultNotRecordable, OutputInvalid) as error:
            # It was checked before it was recorded, so the type is another one now.
            misfit = error
        try:
            raise self.differ(str(misfit), at=call.number) from misfit
        except StoreUnavailable as error:
            raise self.unavailable(error) from error

    async def _envelope(self, call: Call[Any]) -> str:
        """The recorded envelope of a call, done first if there is none."""
        await self.alive()
        begun = self._begun.get(call.number)
        if begun is not None and begun.envelope is not None:
            return await self._on_record(call, f"{begun.kind} {begun.name}", begun.envelope)
        if begun is not None and (begun.kind, begun.name, begun.digest) != (
            call.kind,
            call.name,
            call.digest,
        ):
            why = call.differs_from(f"{begun.kind} {begun.name}")
            raise self.differ(why, at=call.number)
        return await self._unrecorded(call)

    async def _on_record(self, call: Call[Any], label: str, envelope: str) -> str:
        if label != call.label:
            raise self.differ(call.differs_from(label), at=call.number)
        return envelope
