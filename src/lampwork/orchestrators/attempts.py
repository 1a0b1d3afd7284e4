"""The attempts at one subtask: by its agent, again with reasons, later, then by its fallbacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from lampwork import values
from lampwork.errors import (
    InputInvalid,
    LampworkError,
    ModelError,
    ModelUnavailable,
    SkillFailed,
    SkillFailing,
    TakenOver,
    TaskDeadlineExceeded,
    TurnLimitReached,
    joined,
    quoted,
    sentence,
)
from lampwork.genies.budget import Budget
from lampwork.orchestrators.assigning import number_of
from lampwork.orchestrators.given import GivenInputs
from lampwork.tasks.assignment import Assignment
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.orchestrators.acceptance import Acceptance
    from lampwork.orchestrators.assigning import Assigning
    from lampwork.runs.gather import JobCall
    from lampwork.tasks.answer import TaskAnswer

__all__ = ["GAVE_UP", "REFUSED", "Accepted", "Attempts", "Failed"]

GAVE_UP, REFUSED = "gave up", "refused"
"""What lanes write down beside their tasks: that none is left to try, that one could not begin."""

_ERRED = (ModelUnavailable, SkillFailing, SkillFailed, TaskDeadlineExceeded, TurnLimitReached)
"""After which the same agent may do better later. All else it would meet again."""

_LONGEST_REST = 86_400.0
"""Seconds."""


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

    assigning: Assigning
    acceptance: Acceptance
    failures: dict[str, int]
    """By agent, how many subtasks it has failed in a row in this round, all lanes together."""
    count: int = 0
    """The tasks so far."""
    _by_hand: bool = False
    """Whether a person has had it tried, with agents that were set aside as well."""
    _earlier: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    """What the agents before have done, for the next one to know."""

    async def make(
        self, forced: str | None, given: GivenInputs, *, by_hand: bool = False
    ) -> Accepted | Failed:
        """Try until an answer is accepted or nobody is left. `forced` is the one to do it.

        Raises Ordered.
        """
        self.assigning.given, self._by_hand = given, by_hand
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
        return Failed(await self.assigning.note(GAVE_UP, list[str], reasons), effects)

    def _agents(self, forced: str | None) -> Sequence[str]:
        if forced is not None:
            return [forced]
        subtask = self.assigning.subtask
        others = subtask.fallbacks or self.assigning.by.fallbacks.get(subtask.agent, ())
        return [subtask.agent, *others]

    async def _by_agent(self, agent: str) -> Accepted | Failed:
        """What an agent makes of it: asked again if not accepted, tried again if it erred."""
        limits, asked, tried = self.assigning.by.limits, 0, 0
        brief, conversation = self.assigning.subtask.brief, None
        while True:
            await self.assigning.look()
            try:
                call = await self._assigned(agent, brief, conversation)
                number = number_of(call)
                answer = await call
            except LampworkError as error:
                self._note_done(agent, error)
                if isinstance(error, TakenOver):
                    await self.assigning.look(anew=True)
                if (effects := error.fields.get("effects")) and self._is_over:
                    return self._failed(agent, [error.message], effects)
                again = isinstance(error, _ERRED) and tried < limits.retries
                if not again or not await self._rested(agent, tried, error):
                    return self._failed(agent, [error.message])
                tried += 1
                conversation = error.fields.get("conversation_id")
                brief = self.assigning.subtask.brief if conversation is None else _go_on(error)
                continue
            except _Refused as refused:
                return self._failed(agent, refused.reasons)
            reasons = await self.acceptance.reasons_against(answer)
            if not reasons:
                await self.assigning.look(anew=True)
                return Accepted(answer, agent, number)
            if asked >= limits.asks:
                return self._failed(agent, reasons)
            asked, conversation = asked + 1, answer.conversation_id
            brief = _not_accepted(reasons)

    # --- what differs from run to run is read from the record ---

    async def _rested(self, agent: str, tried: int, after: LampworkError) -> bool:
        """Rest before another try; False if it is not to be. Raises Ordered."""
        recorded = self.assigning.flow.on_record()
        if self._is_set_aside(agent) if recorded is None else recorded[0] != "sleep":
            return False
        seconds = min(self.assigning.by.limits.backoff * 2 ** min(tried, 20), _LONGEST_REST)
        rest = self.assigning.orders.rest
        await rest(self.assigning.subtask.id, seconds, after.fields.get("task_id"))
        await self.assigning.look(anew=True)
        return True

    def _is_set_aside(self, agent: str) -> bool:
        most = self.assigning.by.limits.set_aside_after
        return not self._by_hand and self.failures.get(agent, 0) >= most

    async def _refused(self, agent: str, reason: str) -> list[str]:
        """Why an agent can't be given the task, as it is on record."""
        refusal = {"agent": agent, "reason": reason}
        noted = await self.assigning.note(REFUSED, dict[str, str], refusal)
        return [noted["reason"]]

    # --- one attempt ---

    async def _assigned(
        self, agent: str, brief: str, conversation: str | None
    ) -> JobCall[TaskAnswer[Any]]:
        """The call of an attempt. Raises _Refused."""
        recorded = self.assigning.flow.on_record()
        if recorded == ("value", REFUSED):
            raise _Refused(await self._refused(agent, ""))
        try:
            if recorded is None and self._is_set_aside(agent):
                raise InputInvalid("set aside, because it has failed other subtasks")
            genie = self.assigning.by.agents[agent]
            budget = await self.assigning.budget(genie, begun=recorded is not None)
            found = self.assigning.call(self._assignment(agent, brief, conversation, budget))
        except (InputInvalid, ModelError) as error:
            raise _Refused(await self._refused(agent, error.message)) from error
        self.count += 1
        return found

    def _assignment(
        self, agent: str, brief: str, conversation: str | None, budget: Budget | None
    ) -> Assignment:
        given, subtask, hidden = self.assigning.given, self.assigning.subtask, self.assigning.hidden
        by, task = self.assigning.by, self.assigning.orchestration
        data: dict[str, Json] = dict(given.data)
        if self._earlier:
            data["earlier_attempts"] = self._earlier
        passed = by.pass_metadata.get(agent, ())
        return Assignment(
            by.agents[agent],
            cast(str, hidden(brief)),
            data=None if conversation is not None else hidden(data or None),  # told once
            conversation=conversation,
            metadata={key: task.metadata[key] for key in passed if key in task.metadata},
            sealed=tuple(path for path in task.sealed if path[0] in passed),
            output=subtask.output,
            files=given.files if conversation is None else (),
            budget=budget,
            deadline=None if subtask.seconds is None else timedelta(seconds=subtask.seconds),
            guarded=self.assigning.guarded,
        )

    def _failed(self, agent: str, reasons: list[str], effects: Sequence[Json] = ()) -> Failed:
        self.failures[agent] = self.failures.get(agent, 0) + 1
        return Failed(reasons, effects)

    @property
    def _is_over(self) -> bool:
        """Whether nobody has tried it after this, as far as is on record."""
        recorded = self.assigning.flow.on_record()
        return recorded in (None, ("value", GAVE_UP))

    def _note_done(self, agent: str, error: LampworkError) -> None:
        """What a failed attempt has done, so that whoever takes over does not do it again."""
        done: list[dict[str, Json]] = [
            {"skill": each["skill"], "arguments": each["arguments"]}
            for each in error.fields.get("actions", [])
            if each["status"] in ("ok", "unknown")
        ]
        self._earlier.append({"agent": agent, "ended_with": error.message, "has_called": done})


class _Refused(Exception):
    """An agent that can't be given the task."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


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
