"""A plan is carried out: each subtask in a lane of its own, as soon as what it needs is there.

A lane that has settled its subtask without success rests: what it needs may get there yet, and a
person may say something else of it, until the round takes no more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from lampwork.orchestrators.acceptance import Acceptance
from lampwork.orchestrators.assigning import Assigning
from lampwork.orchestrators.attempts import Accepted, Attempts, Failed
from lampwork.orchestrators.given import given_to, guarded_in
from lampwork.orchestrators.orders import Ordered, Orders
from lampwork.orchestrators.plan import Subtask, needed_files
from lampwork.runs.lanes import Slots, side_by_side
from lampwork.tasks.answer import TaskAnswer
from lampwork.types import LARGEST_RESULT, Json

if TYPE_CHECKING:
    from lampwork.job import Job
    from lampwork.metadata.needles import Needle
    from lampwork.orchestrators.orchestrator import Orchestrator
    from lampwork.store.tasks.orchestrations import Orchestration
    from lampwork.store.tasks.orders import Order

__all__ = ["Delegation", "Settled"]

_SHOWN = LARGEST_RESULT // 2
"""Characters of all outputs together that the orchestrator is shown; of all reasons half of it."""

_ANSWER = "answer by hand"
"""What a lane writes down as the answer of a person."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a subtask."""

    subtask: Subtask
    record: dict[str, Json]
    answer: TaskAnswer[Any] | None = None
    """What was accepted, if it has succeeded."""


@dataclass(slots=True)
class _Standing:
    """How a subtask stands, for those that wait for it."""

    settled: Settled | None = None
    last: Settled | None = field(init=False)
    """What it was settled as, also when somebody has it done anew."""
    _waiting: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])

    def __post_init__(self) -> None:
        self.last = self.settled

    def put(self, settled: Settled | None) -> None:
        """It is settled; or, with None, no more."""
        self.settled, self.last = settled, settled or self.last
        self.wake()

    def wake(self) -> None:
        """Let those who wait look again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting = []

    def change(self) -> asyncio.Future[None]:
        """Done when it stands otherwise."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future


@dataclass(slots=True)
class Delegation:
    """One round: the subtasks of a plan that are not settled yet."""

    job: Job
    by: Orchestrator
    orchestration: Orchestration
    subtasks: Sequence[Subtask]
    forced: Mapping[str, str]
    """By subtask, the agent that the orchestrator has chosen for it."""
    done: Mapping[str, Settled]
    """What was settled in earlier rounds, and stays so."""
    spenders: Mapping[str, Sequence[str]]
    """By subtask, the tasks that have spent of its share in earlier rounds."""
    guarded: tuple[Needle, ...] = field(init=False)
    """Sealed values, of which agents read the names."""
    failures: dict[str, int] = field(default_factory=dict[str, int])
    """By agent, how many subtasks it has failed in a row in this round."""
    standing: dict[str, _Standing] = field(default_factory=dict[str, _Standing])
    lanes: list[_Lane] = field(default_factory=list["_Lane"])
    at_work: int = 0
    """How many lanes do not rest."""

    def __post_init__(self) -> None:
        self.guarded = guarded_in(self.orchestration)

    async def carry_out(self) -> dict[str, Json]:
        """Have the subtasks done; what the orchestrator is told of them."""
        flow = self.job._flow  # pyright: ignore[reportPrivateUsage]  # our own recipe
        self.standing = {each.id: _Standing(self.done.get(each.id)) for each in self.subtasks}
        slots = Slots(flow, self.by.limits.parallel)
        orders = Orders(self.job, self.orchestration.id)
        self.lanes = [
            _Lane(self, each, slots, orders) for each in self.subtasks if each.id not in self.done
        ]
        self.at_work = len(self.lanes)
        listening = asyncio.create_task(orders.listen())
        try:
            if self.lanes:
                await side_by_side(flow, [each.go for each in self.lanes])
        finally:
            listening.cancel()
            await asyncio.wait({listening})
            if not listening.cancelled():
                listening.exception()  # seen: the run is over
        return _told([cast(Settled, self.standing[each.id].settled) for each in self.subtasks])

    @property
    def has_all(self) -> bool:
        """Whether every subtask has succeeded."""
        settled = [each.settled for each in self.standing.values()]
        return all(each is not None and each.answer is not None for each in settled)

    @property
    def rests(self) -> bool:
        """Whether no lane does anything, or is about to because what it needs has got there."""
        return self.at_work == 0 and not any(each.gets_on for each in self.lanes)

    def wake(self) -> None:
        """Let all who wait for how a subtask stands look again."""
        for each in self.standing.values():
            each.wake()


@dataclass(slots=True)
class _Lane:
    """The lane of one subtask."""

    round: Delegation
    subtask: Subtask
    slots: Slots
    orders: Orders
    attempts: Attempts = field(init=False)

    def __post_init__(self) -> None:
        round, subtask = self.round, self.subtask
        assigning = Assigning(
            round.job,
            round.by,
            round.orchestration,
            subtask,
            self.orders,
            [*round.spenders.get(subtask.id, ())],
            round.guarded,
        )
        acceptance = Acceptance(assigning, needed_files(subtask, round.subtasks))
        self.attempts = Attempts(assigning, acceptance, round.failures)

    @property
    def _own(self) -> _Standing:
        return self.round.standing[self.subtask.id]

    async def go(self) -> None:
        """Settle the subtask, and settle it anew where a person or its sources have it so."""
        order: Order | None = None
        try:
            while True:
                try:
                    self._own.put(await self._settle(order))
                    if not await self._goes_on():
                        return
                    # Who was to do it by an order is to do it now that its sources are there.
                except Ordered as ordered:
                    order = ordered.order
                self._own.put(None)
        finally:
            self._own.wake()  # the run may be over: those who wait for it find that out
            if self.orders.closed:
                self.round.wake()  # and who waits for others, that nobody is left

    # --- what becomes of it ---

    async def _settle(self, order: Order | None) -> Settled:
        match None if order is None else order.verb:
            case "skip":
                return self._skipped(cast("Order", order))
            case "answer":
                return await self._answered(cast("Order", order))
            case _:
                return await self._have_done(order)

    async def _have_done(self, order: Order | None) -> Settled:
        """What agents make of it, once its sources are settled. Raises Ordered."""
        round, sources = self.round, self.subtask.sources
        if names := _blocking(await self._sources()):
            return self._settled("skipped", [f"it needs {', '.join(names)}"])
        while not await self.slots.enter(lambda: self.orders.news(self.subtask.id)):
            await self.orders.look(self.subtask.id)
        try:
            # While it stood in line one may have been done anew.
            found = {each: cast(Settled, round.standing[each].last) for each in sources}
            given = given_to(self.subtask, round.orchestration, found)
            forced = round.forced.get(self.subtask.id)
            if order is not None:
                forced = order.agent
            match await self.attempts.make(forced, given, by_hand=order is not None):
                case Accepted(answer, agent, call):
                    return self._succeeded(answer, agent, call)
                case Failed(reasons, effects):
                    failed = self._settled("failed", reasons)
                    unknown: dict[str, Json] = {"effects": list(effects)} if effects else {}
                    return Settled(self.subtask, failed.record | unknown)
        finally:
            self.slots.leave()

    async def _sources(self) -> list[Settled]:
        """What became of its sources, once all are settled. Raises Ordered.

        Of one that is done anew beside a lane that has begun, what had become of it.
        """
        flow = self.round.job._flow  # pyright: ignore[reportPrivateUsage]
        sources = [self.round.standing[each] for each in self.subtask.sources]
        while True:
            flow.check()
            await self.orders.look(self.subtask.id)
            begun = flow.on_record() is not None
            unsettled = (each for each in sources if (each.last if begun else each.settled) is None)
            if (source := next(unsettled, None)) is None:
                return [cast(Settled, each.last) for each in sources]
            with flow.paused():
                await _first(source.change(), self.orders.news(self.subtask.id))

    async def _answered(self, order: Order) -> Settled:
        """The answer of a person, on record as one. Raises Ordered."""
        orchestration = self.round.orchestration
        record: dict[str, Json] = {
            **(order.answer or {}),
            "status": "answered",
            "task_id": orchestration.id,
            "conversation_id": orchestration.conversation_id,
            "metadata": {},
            "usage": {},
            "actions": [],
            "artifacts": [],
            "answered_by": order.by,
        }
        noted = self.round.job._value(_ANSWER, dict[str, Any], lambda: record)  # pyright: ignore[reportPrivateUsage]
        call = noted._call.number  # pyright: ignore[reportPrivateUsage]
        answer = TaskAnswer.from_json(await noted, None)
        await self.orders.look(self.subtask.id, anew=True)  # what others have said meanwhile
        return self._succeeded(answer, self.subtask.agent, call)

    def _skipped(self, order: Order) -> Settled:
        why = f": {order.reason}" if order.reason else ""
        settled = self._settled("skipped", [f"{order.by} skipped it{why}"])
        return Settled(self.subtask, settled.record | {"skipped_by": order.by})

    def _succeeded(self, answer: TaskAnswer[Any], agent: str, call: int) -> Settled:
        where: dict[str, Json] = {
            "agent": agent,
            "task": answer.task_id,
            "job": self.round.job.id,
            "call": call,
            "artifacts": [each.name for each in answer.artifacts],
        }
        if answer.answered_by is not None:
            where["answered_by"] = answer.answered_by
        return Settled(self.subtask, self._settled("succeeded", []).record | where, answer)

    def _settled(self, status: str, reasons: list[str]) -> Settled:
        record: dict[str, Json] = {
            "subtask": self.subtask.id,
            "title": self.subtask.title,
            "status": status,
            "required": self.subtask.required,
            "attempts": self.attempts.count,
        }
        return Settled(self.subtask, record | ({"reasons": reasons} if reasons else {}))

    # --- what may come after ---

    async def _goes_on(self) -> bool:
        """Rest; whether its sources have got there meanwhile. Raises Ordered."""
        round, settled = self.round, cast(Settled, self._own.settled)
        if settled.answer is None:
            await self.orders.look(self.subtask.id)
        else:
            self.orders.end(self.subtask.id)
        round.at_work -= 1
        goes_on = True
        try:
            goes_on = await self._rest(settled)
        finally:
            round.at_work += goes_on
        return goes_on

    async def _rest(self, settled: Settled) -> bool:
        round, orders = self.round, self.orders
        flow = round.job._flow  # pyright: ignore[reportPrivateUsage]
        # A later run may hear that the round takes no more before this lane is where it was then.
        while not orders.closed or flow.on_record() is not None:
            if self.gets_on:
                return True
            if round.rests and not orders.are_open:
                if orders.closed or round.has_all:
                    return False
                await orders.close()
                continue
            changes = [round.standing[each].change() for each in self.subtask.sources]
            if not orders.closed:
                changes.append(orders.news(self.subtask.id))
            if settled.answer is not None or not changes:
                return False
            with flow.paused():
                await _first(*changes)
            flow.check()
            await orders.look(self.subtask.id)
        return False

    @property
    def gets_on(self) -> bool:
        """Whether what it was skipped for the lack of has got there."""
        settled = self._own.settled
        return settled is not None and settled.answer is None and not self._is_stuck(settled)

    def _is_stuck(self, settled: Settled) -> bool:
        """Whether nothing but a person can get it on."""
        if "skipped_by" in settled.record or settled.record["status"] != "skipped":
            return True
        sources = [self.round.standing[each].settled for each in self.subtask.sources]
        return any(each is None for each in sources) or bool(
            _blocking(cast(list[Settled], sources))
        )


def _blocking(sources: Sequence[Settled]) -> list[str]:
    """Those without which a subtask is not begun."""
    return [each.subtask.id for each in sources if each.answer is None and each.subtask.required]


async def _first(*futures: asyncio.Future[None]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    for each in futures:
        each.cancel()


def _told(settled: Sequence[Settled]) -> dict[str, Json]:
    """What became of all subtasks, with as much of outputs and reasons as there is room for."""
    succeeded = sum(each.answer is not None for each in settled)
    reasons = sum(len(each.record.get("reasons", ())) for each in settled)
    room, for_reason = _SHOWN // max(1, succeeded), _SHOWN // 2 // max(1, reasons)
    return {
        "subtasks": [
            _unsettled(each, for_reason) if each.answer is None else _shown(each, each.answer, room)
            for each in settled
        ]
    }


def _unsettled(settled: Settled, room: int) -> dict[str, Json]:
    reasons: list[str] = settled.record.get("reasons", [])
    shown = [each if len(each) <= room else f"{each[:room]} …" for each in reasons]
    return settled.record | ({"reasons": shown} if shown else {})


def _shown(settled: Settled, answer: TaskAnswer[Any], room: int) -> dict[str, Json]:
    output = answer.output
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    if len(text) <= room:
        return settled.record | {"output": output}
    return settled.record | {"output": text[:room], "shortened_from": len(text)}
