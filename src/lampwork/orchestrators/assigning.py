"""Tasks about one subtask, as its lane assigns them: to its agents, and to the judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lampwork.errors import InputInvalid, StoreUnavailable
from lampwork.genies.budget import Budget
from lampwork.metadata.seal import Seal
from lampwork.orchestrators.given import NOTHING, GivenInputs
from lampwork.runs.call import Call
from lampwork.store.spending import budgets
from lampwork.tasks.work import work
from lampwork.types import Json, task_id

if TYPE_CHECKING:
    from lampwork import values
    from lampwork.genies.genie import Genie
    from lampwork.job import Job
    from lampwork.metadata.needles import Needle
    from lampwork.orchestrators.orchestrator import Orchestrator
    from lampwork.orchestrators.orders import Orders
    from lampwork.orchestrators.plan import Subtask
    from lampwork.runs.flow import Flow
    from lampwork.runs.gather import JobCall
    from lampwork.runs.run import Run
    from lampwork.store.jobs.calls import Beginning
    from lampwork.store.tasks.orchestrations import Orchestration
    from lampwork.tasks.answer import TaskAnswer
    from lampwork.tasks.assignment import Assignment

__all__ = ["Assigning", "number_of"]

Noted = TypeVar("Noted")

_SCALED = ("tokens", "dollars", "model_calls", "skill_calls")
"""Limits of a budget of which there are shares."""


@dataclass(slots=True)
class Assigning:
    """What all tasks about one subtask have in common."""

    job: Job
    by: Orchestrator
    orchestration: Orchestration
    subtask: Subtask
    orders: Orders
    spenders: list[str]
    """The tasks that spend of its share: those of earlier rounds, then those of this one."""
    guarded: tuple[Needle, ...]
    """Sealed values, which agents and judge read the names of."""
    given: GivenInputs = NOTHING

    @property
    def flow(self) -> Flow:
        """The run's way through the calls of the round."""
        return self.job._flow  # pyright: ignore[reportPrivateUsage]  # our own recipe

    def call(self, assignment: Assignment) -> JobCall[TaskAnswer[Any]]:
        """The call that assigns a task, which an order may take from whoever works on it.

        Raises InputInvalid, ModelError.
        """
        found = self.job._assign(assignment, working=self._working)  # pyright: ignore[reportPrivateUsage]
        self.spenders.append(task_id(self.job.id, number_of(found)))
        return found

    async def _working(
        self, run: Run, assignment: Assignment, beginning: Beginning
    ) -> values.Recorded:
        working = work(run, assignment, beginning)
        return await self.orders.attempt(self.subtask.id, run, beginning.number, working)

    async def look(self, *, anew: bool = False) -> None:
        """Raise Ordered if a person has said something else of the subtask, see `Orders.look`."""
        await self.orders.look(self.subtask.id, anew=anew)

    async def note(self, what: str, kind: type[Noted], noted: Noted) -> Noted:
        """What is noted, as it is on record."""
        return await self.job._value(what, kind, lambda: noted)  # pyright: ignore[reportPrivateUsage]

    def hidden(self, value: Json) -> Json:
        """A value as whoever works on the subtask may read it."""
        return Seal(self.guarded).hide(value) if self.guarded else value

    # --- what it may spend ---

    async def budget(self, genie: Genie, *, begun: bool) -> Budget | None:
        """What is left of its share, and no more than its agent may spend on any task.

        Raises InputInvalid if nothing is left, unless the task has begun with it.
        """
        limits: dict[str, Any] = {} if genie.budget is None else genie.budget.to_json()
        share, whole = self.subtask.budget_share, self.orchestration.limits or {}
        if share is not None and any(name in whole for name in _SCALED):
            spent = await self._spent()
            for name in (each for each in _SCALED if each in whole):
                left = whole[name] * share - spent[name]
                left, least = (left, 1e-9) if name == "dollars" else (int(left), 1)
                if left < least and not begun:
                    raise InputInvalid("its share of the budget is spent")
                left = max(left, least)
                limits[name] = min(left, limits.get(name, left))
        return Budget(**limits) if limits else None

    async def _spent(self) -> dict[str, float]:
        """What its tasks, and those below them, have spent of its share."""
        try:
            rows = await self.flow.store.read(budgets.some, self.spenders)
        except StoreUnavailable as error:
            raise self.flow.unavailable(error) from error
        return {
            "tokens": sum(each.spent_tokens for each in rows),
            "dollars": sum(each.spent_nanodollars for each in rows) / 1e9,
            "model_calls": sum(each.spent_model_calls for each in rows),
            "skill_calls": sum(each.spent_skill_calls for each in rows),
        }


def number_of(call: JobCall[Any]) -> int:
    """The number of a call that was made."""
    made: Call[Any] = call._call  # pyright: ignore[reportPrivateUsage]
    return made.number
