"""The attempts at one subtask: by its agent, again with reasons, later, then by its fallbacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from lampwork import values
from lampwork.errors import (
    InputInvalid,
    LampworkError,
    ModelError,
    ModelUnavailable,
    SkillFailed,
    SkillFailing,
    StepFailed,
    StoreUnavailable,
    TakenOver,
    TaskDeadlineExceeded,
    TurnLimitReached,
    joined,
    quoted,
    sentence,
)
from lampwork.genies.budget import Budget
from lampwork.metadata.seal import Seal
from lampwork.orchestrators.check import JUDGING, CheckCall, Verdict
from lampwork.orchestrators.given import NOTHING, GivenInputs
from lampwork.runs.call import Call
from lampwork.store import blobs
from lampwork.store.spending import budgets
from lampwork.tasks.assignment import Assignment
from lampwork.tasks.work import work
from lampwork.types import Json, task_id

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie
    from lampwork.job import Job
    from lampwork.metadata.needles import Needle
    from lampwork.orchestrators.orchestrator import Orchestrator
    from lampwork.orchestrators.orders import Orders
    from lampwork.orchestrators.plan import Subtask
    from lampwork.runs.gather import JobCall
    from lampwork.runs.run import Run
    from lampwork.store.jobs.calls import Beginning
    from lampwork.store.tasks.orchestrations import Orchestration
    from lampwork.tasks.answer import TaskAnswer

__all__ = ["FILES", "GAVE_UP", "NOT_JUDGED", "REFUSED", "Accepted", "Attempts", "Failed"]

Noted = TypeVar("Noted")

GAVE_UP, REFUSED, NOT_JUDGED = "gave up", "refused", "not judged"
"""What lanes write down beside their tasks: that none is left to try, that one could not begin,
that the judge could not."""

FILES = "files that others need"
"""The check that an answer comes with what the plan gives to other subtasks."""

_ERRED = (ModelUnavailable, SkillFailing, SkillFailed, TaskDeadlineExceeded, TurnLimitReached)
"""After which the same agent may do better later. All else it would meet again."""

_LONGEST_REST = 86_400.0
"""Seconds."""

_SCALED = ("tokens", "dollars", "model_calls", "skill_calls")
"""Limits of a budget of which there are shares."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An answer that was accepted, of which agent, and the number of its call."""

    answer: TaskAnswer[Any]
    agent: str
    call: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a subtask has failed, by each agent that has tried."""

    reasons: list[str]
    effects: Sequence[Json] = ()
    """Those of which nobody knows whether they have happened, so that nobody else tries it."""


@dataclass(slots=True)
class Attempts:
    """The attempts at one subtask, in its lane."""

    job: Job
    by: Orchestrator
    orchestration: Orchestration
    subtask: Subtask
    needed: frozenset[str]
    """The names of files that it is to produce, because other subtasks are given them."""
    failures: dict[str, int]
    """By agent, how many subtasks it has failed in a row in this round, all lanes together."""
    orders: Orders
    spenders: list[str]
    """The tasks that spend of its share: those of earlier rounds, then those of this one."""
    guarded: tuple[Needle, ...]
    """Sealed values, which agents and judge read the names of."""
    given: GivenInputs = NOTHING
    count: int = 0
    """The tasks so far."""
    _by_hand: bool = False
    """Whether a person has had it tried, with agents that were set aside as well."""
    _earlier: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    """What the agents before have done, for the next one to know."""

    async def make(self, forced: str | None, *, by_hand: bool = False) -> Accepted | Failed:
        """Try until an answer is accepted or nobody is left. `forced` is the one to do it.

        Raises Ordered.
        """
        self._by_hand = by_hand
        reasons: list[str] = []
        effects: Sequence[Json] = ()
        for agent in self._agents(forced):
            found = await self._by_agent(agent)
            if isinstance(found, Accepted):
                self.failures.pop(agent, None)
                return found
            reasons += [f"{agent}: {each}" for each in found.reasons]
            if effects := found.effects:
                break
        return Failed(await self._note(GAVE_UP, list[str], reasons), effects)

    def _agents(self, forced: str | None) -> Sequence[str]:
        if forced is not None:
            return [forced]
        others = self.subtask.fallbacks or self.by.fallbacks.get(self.subtask.agent, ())
        return [self.subtask.agent, *others]

    async def _by_agent(self, agent: str) -> Accepted | Failed:
        """What an agent makes of it: asked again if not accepted, tried again if it erred."""
        limits, asked, tried = self.by.limits, 0, 0
        brief, conversation = self.subtask.brief, None
        while True:
            await self.orders.look(self.subtask.id)
            try:
                call = await self._assigned(agent, brief, conversation)
                number = _number(call)
                answer = await call
            except LampworkError as error:
                self._note_done(agent, error)
                if isinstance(error, TakenOver):
                    await self.orders.look(self.subtask.id, anew=True)
                if (effects := error.fields.get("effects")) and self._is_over:
                    return self._failed(agent, [error.message], effects)
                again = isinstance(error, _ERRED) and tried < limits.retries
                if not again or not await self._rested(agent, tried, error):
                    return self._failed(agent, [error.message])
                tried += 1
                conversation = error.fields.get("conversation_id")
                brief = self.subtask.brief if conversation is None else _go_on(error)
                continue
            except _Refused as refused:
                return self._failed(agent, refused.reasons)
            reasons = await self._reasons_against(answer)
            if not reasons:
                await self.orders.look(self.subtask.id, anew=True)
                return Accepted(answer, agent, number)
            if asked >= limits.asks:
                return self._failed(agent, reasons)
            asked, conversation = asked + 1, answer.conversation_id
            brief = _not_accepted(reasons)

    # --- what differs from run to run is read from the record ---

    async def _rested(self, agent: str, tried: int, after: LampworkError) -> bool:
        """Rest before another try; False if it is not to be. Raises Ordered."""
        recorded = self.job._flow.on_record()  # pyright: ignore[reportPrivateUsage]
        if self._is_set_aside(agent) if recorded is None else recorded[0] != "sleep":
            return False
        seconds = min(self.by.limits.backoff * 2 ** min(tried, 20), _LONGEST_REST)
        await self.orders.rest(self.subtask.id, seconds, after.fields.get("task_id"))
        await self.orders.look(self.subtask.id, anew=True)
        return True

    def _is_set_aside(self, agent: str) -> bool:
        return not self._by_hand and self.failures.get(agent, 0) >= self.by.limits.set_aside_after

    async def _note(self, what: str, kind: type[Noted], noted: Noted) -> Noted:
        """What is noted, as it is on record."""
        return await self.job._value(what, kind, lambda: noted)  # pyright: ignore[reportPrivateUsage]

    async def _refused(self, agent: str, reason: str) -> list[str]:
        """Why an agent can't be given the task, as it is on record."""
        noted = await self._note(REFUSED, dict[str, str], {"agent": agent, "reason": reason})
        return [noted["reason"]]

    # --- one attempt ---

    async def _assigned(
        self, agent: str, brief: str, conversation: str | None
    ) -> JobCall[TaskAnswer[Any]]:
        """The call of an attempt. Raises _Refused."""
        recorded = self.job._flow.on_record()  # pyright: ignore[reportPrivateUsage]
        if recorded == ("value", REFUSED):
            raise _Refused(await self._refused(agent, ""))
        try:
            if recorded is None and self._is_set_aside(agent):
                raise InputInvalid("set aside, because it has failed other subtasks")
            budget = await self._budget(self.by.agents[agent], begun=recorded is not None)
            found = self._call(self._assignment(agent, brief, conversation, budget))
        except (InputInvalid, ModelError) as error:
            raise _Refused(await self._refused(agent, error.message)) from error
        self.count += 1
        self.spenders.append(task_id(self.job.id, _number(found)))
        return found

    def _call(self, assignment: Assignment) -> JobCall[TaskAnswer[Any]]:
        return self.job._assign(assignment, working=self._working)  # pyright: ignore[reportPrivateUsage]

    async def _working(
        self, run: Run, assignment: Assignment, beginning: Beginning
    ) -> values.Recorded:
        working = work(run, assignment, beginning)
        return await self.orders.attempt(self.subtask.id, run, beginning.number, working)

    def _assignment(
        self, agent: str, brief: str, conversation: str | None, budget: Budget | None
    ) -> Assignment:
        genie, task = self.by.agents[agent], self.orchestration
        data: dict[str, Json] = dict(self.given.data)
        if self._earlier:
            data["earlier_attempts"] = self._earlier
        passed = self.by.pass_metadata.get(agent, ())
        return Assignment(
            genie,
            cast(str, self._hidden(brief)),
            data=None if conversation is not None else self._hidden(data or None),  # told once
            conversation=conversation,
            metadata={key: task.metadata[key] for key in passed if key in task.metadata},
            sealed=tuple(path for path in task.sealed if path[0] in passed),
            output=self.subtask.output,
            files=self.given.files if conversation is None else (),
            budget=budget,
            deadline=None
            if self.subtask.seconds is None
            else timedelta(seconds=self.subtask.seconds),
            guarded=self.guarded,
        )

    def _hidden(self, value: Json) -> Json:
        """A value as whoever works on the subtask may read it."""
        return Seal(self.guarded).hide(value) if self.guarded else value

    def _failed(self, agent: str, reasons: list[str], effects: Sequence[Json] = ()) -> Failed:
        self.failures[agent] = self.failures.get(agent, 0) + 1
        return Failed(reasons, effects)

    @property
    def _is_over(self) -> bool:
        """Whether nobody has tried it after this, as far as is on record."""
        recorded = self.job._flow.on_record()  # pyright: ignore[reportPrivateUsage]
        return recorded in (None, ("value", GAVE_UP))

    # --- whether it is accepted ---

    async def _reasons_against(self, answer: TaskAnswer[Any]) -> list[str]:
        """Why an answer is not accepted; nothing if it is."""
        looked_at = self._looked_at(answer)
        if self.needed:
            lacking = sorted(self.needed - {each.name for each in answer.artifacts})
            if found := await self.job.options(name=FILES).step(_lacking, lacking):
                return found
        for name in self.subtask.checks:
            check = self.by.checks[name]
            try:
                found = await self.job.options(name=name).step(check.problems, answer, looked_at)
            except StepFailed as error:
                found = [f'check "{name}" could not judge it: {error.message}']
            if found:
                return found
        return [] if self.subtask.rubric is None else await self._judged(answer)

    async def _judged(self, answer: TaskAnswer[Any]) -> list[str]:
        """Why the judge does not accept it; nothing if it does. Raises Ordered."""
        recorded = self.job._flow.on_record()  # pyright: ignore[reportPrivateUsage]
        judge = cast("Genie", self.by.judge)
        try:
            if recorded == ("value", NOT_JUDGED):
                raise _Refused([])
            budget = await self._budget(judge, begun=recorded is not None)
            call = self._call(self._judging(judge, answer, budget))
        except (InputInvalid, ModelError, _Refused) as error:
            return [await self._note(NOT_JUDGED, str, f"nobody could judge it: {error}")]
        self.spenders.append(task_id(self.job.id, _number(call)))
        try:
            said = (await call).output
        except LampworkError as error:
            if isinstance(error, TakenOver):
                await self.orders.look(self.subtask.id, anew=True)
            return [f"the judge could not judge it: {error.message}"]
        return [] if said.accepted else said.reasons or ["the judge did not accept it"]

    def _looked_at(self, answer: TaskAnswer[Any]) -> CheckCall:
        store = self.job._flow.store  # pyright: ignore[reportPrivateUsage]

        async def content(digest: str) -> bytes:
            return await store.read(blobs.get, digest)

        files = {each.name: each for each in (*self.given.files, *answer.artifacts)}
        return CheckCall(self.subtask, self.given.data, files, content)

    def _judging(self, judge: Genie, answer: TaskAnswer[Any], budget: Budget | None) -> Assignment:
        data: Json = {
            "rubric": self.subtask.rubric,
            "asked for": self.subtask.brief,
            "answer": answer.output,
        }
        return Assignment(
            judge,
            JUDGING,
            data=self._hidden(data),
            output=Verdict,
            files=answer.artifacts[:10],
            budget=budget,
            guarded=self.guarded,
        )

    # --- what it has cost and done ---

    async def _budget(self, genie: Genie, *, begun: bool) -> Budget | None:
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
        flow = self.job._flow  # pyright: ignore[reportPrivateUsage]
        try:
            rows = await flow.store.read(budgets.some, self.spenders)
        except StoreUnavailable as error:
            raise flow.unavailable(error) from error
        return {
            "tokens": sum(each.spent_tokens for each in rows),
            "dollars": sum(each.spent_nanodollars for each in rows) / 1e9,
            "model_calls": sum(each.spent_model_calls for each in rows),
            "skill_calls": sum(each.spent_skill_calls for each in rows),
        }

    def _note_done(self, agent: str, error: LampworkError) -> None:
        """What a failed attempt has done, so that whoever takes over does not do it again."""
        done: list[dict[str, Json]] = [
            {"skill": each["skill"], "arguments": each["arguments"]}
            for each in error.fields.get("actions", [])
            if each["status"] in ("ok", "unknown")
        ]
        self._earlier.append({"agent": agent, "ended_with": error.message, "has_called": done})


async def _lacking(files: list[str]) -> list[str]:
    return [f"there is no file {name}, which is needed further on" for name in files]


class _Refused(Exception):
    """An agent that can't be given the task."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def _number(call: JobCall[Any]) -> int:
    made: Call[Any] = call._call  # pyright: ignore[reportPrivateUsage]
    return made.number


def _not_accepted(reasons: Sequence[str]) -> str:
    why = values.storable(joined(reasons))  # a judge may say what no text can hold
    return f"Your answer was not accepted: {why} Mend that, and answer again."


def _go_on(error: LampworkError) -> str:
    why = error.message
    if isinstance(error, SkillFailing):
        # What it said comes from outside: it stands among the results, and is no instruction.
        why = f"skill {quoted(error.fields['skill'])} failed again and again"
    elif isinstance(error, ModelUnavailable):
        why = "the model was not there"  # its provider may say anything
    return (
        f"Your last attempt at this ended without an answer: {sentence(why)} Go on where "
        "you stopped, do nothing again that has been done, and answer."
    )
