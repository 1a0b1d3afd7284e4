"""What the calls of a lane say of its subtask, read in their order.

A task is an attempt, a step or a task of the judge what was said of it, a sleep a rest before the
next, a value that nobody is left, or what a person has ordered.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from lampwork import values
from lampwork.errors import TakenOver
from lampwork.orchestrators.acceptance import NOT_JUDGED
from lampwork.orchestrators.attempts import GAVE_UP, REFUSED
from lampwork.orchestrators.check import JUDGING
from lampwork.orchestrators.orders import BY_HAND
from lampwork.orchestrators.plan import Subtask, needed_files
from lampwork.store import blobs
from lampwork.store.jobs import calls as calls_store
from lampwork.store.tasks import conversations, orchestrations
from lampwork.views import AttemptView
from lampwork.views.shown import moment_or_none

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["LaneRecord", "lanes_of"]


def lanes_of(
    connection: sa.Connection,
    job_id: str,
    plan: Sequence[Subtask],
    settled: Collection[str],
    chosen: Collection[str],
) -> Iterator[LaneRecord]:
    """The lanes of a round: of a plan's subtasks, but for those that were `settled` before.

    `chosen` are given to agents of the orchestrator's choice.
    """
    tasks: dict[int, Any] = {row.call: row for row in orchestrations.tasks_of(connection, job_id)}
    calls = [row for _, row in sorted(calls_store.of_job(connection, job_id).items())]
    below = conversations.usage_below_calls(connection, job_id)
    ahead = _before_lanes(calls)
    lanes = [
        LaneRecord(connection, each, _looks(each, plan), each.id in chosen)
        for each in plan
        if each.id not in settled
    ]
    for row in calls:
        if row.number > ahead and lanes:
            index: int = (row.number - ahead - 1) % len(lanes)
            lanes[index].take(row, tasks.get(row.number), below.get(row.number, {}))
    return iter(lanes)


def _looks(subtask: Subtask, plan: Sequence[Subtask]) -> int:
    """How often an answer to a subtask is looked at before it is accepted."""
    needed = needed_files(subtask, plan)
    return len(subtask.checks) + bool(needed) + (subtask.rubric is not None)


def _before_lanes(calls: Sequence[Any]) -> int:
    """How many calls a round has made before its lanes: of those the first is never a step."""
    ahead = 1 if calls and (calls[0].number, calls[0].kind) == (1, "step") else 0
    gate = [row for row in calls if row.kind == "approval"]
    return max([ahead, *(row.number for row in gate)])


@dataclass(slots=True)
class LaneRecord:
    """The calls of one subtask in one round, read in their order."""

    connection: sa.Connection
    subtask: Subtask
    looks: int
    """How often an answer is looked at before it is accepted."""
    chosen: bool
    """Whether the orchestrator has chosen who does it."""
    attempts: list[AttemptView] = field(default_factory=list[AttemptView])
    usage: list[dict[str, int]] = field(default_factory=list[dict[str, int]])
    tasks: list[str] = field(default_factory=list[str])
    """Those of the judge as well."""
    passed: int = 0
    """Checks, and the judge, that the last answer has passed."""
    rested: bool = False
    by_hand: bool = False
    """Whether what comes next was ordered by a person."""
    settled: Literal["succeeded", "failed", "skipped"] | None = None
    taken: list[int] = field(default_factory=list[int])
    """The numbers of the orders that it has followed."""

    def take(self, call: Any, task: Any, below: dict[str, int]) -> None:
        """Take in a call, the task that it has assigned, and what those below that have used."""
        usage: dict[str, int] = {}
        outcome = None
        if call.envelope is not None:
            outcome = values.read(blobs.unfold(self.connection, call.envelope))
        if task is not None:
            self.tasks.append(task.id)
            own = conversations.usage_of(self.connection, task)
            usage = conversations.sum_up([own, below])
            self.usage.append(usage)
        match call.kind, call.name:
            case "task", _ if task is not None and task.instructions == JUDGING:
                self._judged(_of_judge(outcome))
                if (by := _stopped_by(outcome)) is not None:
                    self.attempts[-1] = replace(self.attempts[-1], status="stopped", stopped_by=by)
            case "task", agent:
                self.attempts.append(self._attempt(call, task, agent, outcome, usage))
                self.rested, self.by_hand, self.passed = False, False, 0
            case "step", _:
                self._judged(_of_check(outcome))
            case "sleep", _:
                self.rested = True
            case "value", name if name == REFUSED and isinstance(outcome, values.Value):
                self.attempts.append(_refused(call, json.loads(outcome.text)))
            case "value", name if name == NOT_JUDGED and isinstance(outcome, values.Value):
                self._judged([json.loads(outcome.text)])
            case "value", name if name == GAVE_UP:
                self.settled = "failed"
            case "value", name if name == BY_HAND and isinstance(outcome, values.Value):
                self._ordered(json.loads(outcome.text))
            case _:
                pass

    def _ordered(self, order: dict[str, Any]) -> None:
        self.taken.append(order["number"])
        self.by_hand, self.rested, self.settled = True, False, None
        match order["verb"]:
            case "skip":
                self.settled = "skipped"
            case "answer":
                self.settled = "succeeded"
            case _:
                pass

    @property
    def status(self) -> Literal["waiting", "working", "succeeded", "failed", "skipped"]:
        """How the subtask stands, by what is on record."""
        if self.settled is not None:
            return self.settled
        if not self.attempts:
            return "waiting"
        return "succeeded" if self._is_accepted else "working"

    @property
    def _is_accepted(self) -> bool:
        return (
            not self.by_hand
            and self.attempts[-1].status in ("judging", "accepted")
            and self.passed >= self.looks
        )

    def _attempt(
        self, call: Any, task: Any, agent: str, outcome: Any, usage: dict[str, int]
    ) -> AttemptView:
        status, reasons, by = "working", (), _stopped_by(outcome)
        if isinstance(outcome, values.Failure):
            status = "failed" if by is None else "stopped"
            reasons = (outcome.error["message"],)
        elif outcome is not None:
            status = "judging"
        elif task is not None and task.status == "cancelled":
            status = "cancelled"
        return AttemptView(
            agent=agent,
            why=self._why(agent),
            status=status,  # type: ignore[arg-type]
            reasons=reasons,
            began_at=moment_or_none(call.opened_at),
            ended_at=moment_or_none(call.ended_at),
            task_id=None if task is None else task.id,
            conversation_id=None if task is None else task.conversation_id,
            stopped_by=by,
            usage=usage,
        )

    def _why(self, agent: str) -> Any:
        if self.by_hand:
            return "by_hand"
        if not self.attempts:
            planned = agent == self.subtask.agent
            return "chosen" if self.chosen else "first" if planned else "fallback"
        if self.attempts[-1].agent != agent:
            return "fallback"
        return "retried" if self.rested else "asked_again"

    def _judged(self, reasons: Sequence[str] | None) -> None:
        self.passed += reasons is not None and not reasons
        if reasons and self.attempts:
            last = self.attempts[-1]
            self.attempts[-1] = replace(last, status="rejected", reasons=tuple(reasons))

    def finished(self, *, settled: bool) -> Iterable[AttemptView]:
        """The attempts. Where something came after an answer, or the end, it was accepted."""
        for position, each in enumerate(self.attempts):
            last = position == len(self.attempts) - 1
            if each.status == "judging" and (settled or not last or self._is_accepted):
                each = replace(each, status="accepted")
            yield each


def _stopped_by(outcome: values.Outcome | None) -> str | None:
    """Who has taken a task from its genie, if somebody has."""
    if isinstance(outcome, values.Failure) and outcome.error["code"] == TakenOver.code:
        return outcome.error["fields"]["by"]
    return None


def _of_check(outcome: values.Outcome | None) -> Sequence[str] | None:
    match outcome:
        case values.Value(text):
            return json.loads(text)
        case values.Failure(error):
            return [error["message"]]
        case None:
            return None


def _of_judge(outcome: values.Outcome | None) -> Sequence[str] | None:
    match outcome:
        case values.Value(text):
            said: dict[str, Any] = json.loads(text)["output"]
            if said["accepted"]:
                return []
            return said.get("reasons") or ["the judge did not accept it"]
        case values.Failure(error):
            return [error["message"]]
        case None:
            return None


def _refused(call: Any, noted: dict[str, Any]) -> AttemptView:
    at = moment_or_none(call.ended_at)
    return AttemptView(
        agent=noted["agent"],
        why="refused",
        status="failed",
        reasons=(noted["reason"],),
        began_at=at,
        ended_at=at,
        usage={},
    )
