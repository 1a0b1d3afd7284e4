"""A plan is carried out: each subtask in a lane of its own, as soon as what it needs is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from lampwork.orchestrators.attempts import Accepted, Attempts, Failed
from lampwork.orchestrators.given import given_to
from lampwork.orchestrators.plan import Subtask
from lampwork.runs.lanes import Slots, side_by_side
from lampwork.types import LARGEST_RESULT, Json

if TYPE_CHECKING:
    from lampwork.job import Job
    from lampwork.orchestrators.orchestrator import Orchestrator
    from lampwork.store.tasks.orchestrations import Orchestration
    from lampwork.tasks.answer import TaskAnswer

__all__ = ["Delegation", "Settled"]

_SHOWN = LARGEST_RESULT // 2
"""Characters of all outputs together that the orchestrator is shown."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a subtask."""

    subtask: Subtask
    record: dict[str, Json]
    answer: TaskAnswer[Any] | None = None
    """What was accepted, if it has succeeded."""


@dataclass(slots=True)
class Delegation:
    """One round: the subtasks of a plan that have not succeeded yet."""

    job: Job
    by: Orchestrator
    orchestration: Orchestration
    subtasks: Sequence[Subtask]
    forced: Mapping[str, str]
    """By subtask, the agent that the orchestrator has chosen for it."""
    done: Mapping[str, Settled]
    """What has succeeded in earlier rounds."""
    failures: dict[str, int] = field(default_factory=dict[str, int])
    """By agent, how many subtasks it has failed in a row in this round."""
    _settled: dict[str, asyncio.Future[Settled]] = field(
        default_factory=dict[str, asyncio.Future[Settled]]
    )

    async def carry_out(self) -> dict[str, Json]:
        """Have the subtasks done; what the orchestrator is told of them."""
        flow = self.job._flow  # pyright: ignore[reportPrivateUsage]  # our own recipe
        loop = asyncio.get_running_loop()
        self._settled = {each.id: loop.create_future() for each in self.subtasks}
        for id, settled in self.done.items():
            self._settled[id].set_result(settled)
        slots = Slots(flow, self.by.limits.parallel)
        lanes: list[Callable[[], Coroutine[Any, Any, Settled]]] = [
            partial(self._lane, each, slots) for each in self.subtasks if each.id not in self.done
        ]
        await side_by_side(flow, lanes)
        return _told([self._settled[each.id].result() for each in self.subtasks])

    async def _lane(self, subtask: Subtask, slots: Slots) -> Settled:
        settled = self._settled[subtask.id]
        try:
            found = await self._settle(subtask, slots)
            settled.set_result(found)
            return found
        finally:
            if not settled.done():
                settled.cancel()  # the run is over: those who wait for it find that out

    async def _settle(self, subtask: Subtask, slots: Slots) -> Settled:
        before = [await self._outcome_of(each) for each in subtask.sources]
        blocking = [each for each in before if each.answer is None and each.subtask.required]
        if blocking:
            names = ", ".join(each.subtask.id for each in blocking)
            return Settled(subtask, _record(subtask, "skipped", [f"it needs {names}"], 0))
        await slots.enter()
        try:
            given = given_to(
                subtask, self.orchestration, {each.subtask.id: each for each in before}
            )
            needed = frozenset(
                source.artifact
                for each in self.subtasks
                for source in each.inputs
                if source.subtask == subtask.id and source.artifact is not None
            )
            attempts = Attempts(
                self.job, self.by, self.orchestration, subtask, given, needed, self.failures
            )
            match await attempts.make(self.forced.get(subtask.id)):
                case Accepted(answer, agent, call):
                    where: dict[str, Json] = {
                        "agent": agent,
                        "task": answer.task_id,
                        "job": self.job.id,
                        "call": call,
                        "artifacts": [each.name for each in answer.artifacts],
                    }
                    record = _record(subtask, "succeeded", [], attempts.count)
                    return Settled(subtask, record | where, answer)
                case Failed(reasons):
                    return Settled(subtask, _record(subtask, "failed", reasons, attempts.count))
        finally:
            slots.leave()

    async def _outcome_of(self, id: str) -> Settled:
        flow, settled = self.job._flow, self._settled[id]  # pyright: ignore[reportPrivateUsage]
        if not settled.done():
            with flow.paused():
                await asyncio.wait([settled])
        flow.check()
        return settled.result()


def _record(subtask: Subtask, status: str, reasons: list[str], attempts: int) -> dict[str, Json]:
    record: dict[str, Json] = {"subtask": subtask.id, "title": subtask.title, "status": status}
    record |= {"required": subtask.required, "attempts": attempts}
    return record | ({"reasons": reasons} if reasons else {})


def _told(settled: Sequence[Settled]) -> dict[str, Json]:
    """What became of all subtasks, with as much of their outputs as there is room for."""
    room = _SHOWN // max(1, sum(each.answer is not None for each in settled))
    return {"subtasks": [_shown(each, room) for each in settled]}


def _shown(settled: Settled, room: int) -> dict[str, Json]:
    if settled.answer is None:
        return settled.record
    output = settled.answer.output
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    if len(text) <= room:
        return settled.record | {"output": output}
    return settled.record | {"output": text[:room], "shortened_from": len(text)}
