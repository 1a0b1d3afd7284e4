"""The ledger of an orchestration, read from what its rounds have on record.

No row says what an attempt is: the calls of a lane, in their order, do. A task is an attempt, a
step or a task of the judge what was said of it, a sleep a rest before the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lampwork import values
from lampwork.errors import TaskNotFound
from lampwork.insights.conversations import error_view
from lampwork.insights.files import saved_views
from lampwork.insights.plans import approval_of, changes
from lampwork.orchestrators.attempts import GAVE_UP, REFUSED
from lampwork.orchestrators.check import JUDGING
from lampwork.orchestrators.plan import Subtask, as_given
from lampwork.orchestrators.plans import Standing, plan_of, standing, verb_of
from lampwork.store import blobs
from lampwork.store.lists import queries
from lampwork.store.tasks import artifacts, conversations, orchestrations
from lampwork.store.tasks.orchestrations import Round
from lampwork.types import ENDED, Json
from lampwork.views.orchestrations import (
    AttemptView,
    OrchestrationView,
    RoundView,
    SubtaskView,
)
from lampwork.views.shown import moment, moment_or_none

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["orchestration"]


def orchestration(connection: sa.Connection, task_id: str) -> OrchestrationView:
    """The ledger of an orchestration, by its task or the job that assigned it.

    Raises TaskNotFound for a task that planned nothing.
    """
    if task_id.startswith("j"):
        task_id = orchestrations.of_job(connection, task_id) or task_id
    row = queries.task(connection, task_id)
    rounds = orchestrations.rounds_of(connection, task_id)
    if not rounds:
        raise TaskNotFound(
            f"Task {task_id} of {row.genie} is no orchestration: it has planned nothing. "
            f"`lampwork conversation {row.conversation_id}` shows what was said."
        )
    ledger = _Ledger(connection)
    for number, each in enumerate(rounds):
        ledger.take(each, standing(rounds[:number]))
    usage = [conversations.usage_so_far(connection, row)]
    outcome: dict[str, Json] = row.outcome or {}
    return OrchestrationView(
        orchestration_id=row.id,
        orchestrator=row.genie,
        status=row.status,
        job_id=row.job_id,
        conversation_id=row.conversation_id,
        instructions=row.instructions,
        created_at=moment(row.created_at),
        ended_at=moment_or_none(row.ended_at),
        rounds=tuple(ledger.rounds),
        subtasks=tuple(map(ledger.shown, ledger.plan)),
        error=error_view(outcome["error"]) if "error" in outcome else None,
        artifacts=saved_views(row.id, artifacts.of_task(connection, row.id)),
        usage=conversations.sum_up([*usage, *ledger.usage.values()]),
    )


@dataclass(slots=True)
class _Ledger:
    """What the rounds add up to, taken in one after the other."""

    connection: sa.Connection
    plan: tuple[Subtask, ...] = ()
    rounds: list[RoundView] = field(default_factory=list[RoundView])
    attempts: dict[str, list[AttemptView]] = field(default_factory=dict[str, list[AttemptView]])
    outcomes: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])
    usage: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    open: bool = False

    def take(self, round: Round, before: Standing) -> None:
        """Take in a round, by how the orchestration stood before it."""
        outcome = None if round.outcome is None else values.read(round.outcome)
        refused = isinstance(outcome, values.Failure)
        asked = round.proposal is not None
        plan = plan_of(round, before.subtasks) if asked or not refused else ()
        self.rounds.append(_round(round, before, plan, outcome))
        if refused:
            return
        self.plan = plan
        done = {id for id, each in before.outcomes.items() if each["status"] == "succeeded"}
        lanes = [each for each in plan if each.id not in done]
        self.outcomes = {id: each for id, each in self.outcomes.items() if id in done}
        if isinstance(outcome, values.Value):
            self.outcomes |= {
                each["subtask"]: each for each in json.loads(outcome.text)["subtasks"]
            }
        self.open = round.status not in ENDED
        chosen = {round.input["subtask"]} if verb_of(round.callable) == "delegate" else set[str]()
        self._take_lanes(round.job_id, lanes, chosen)

    def _take_lanes(self, job_id: str, lanes: Sequence[Subtask], chosen: set[str]) -> None:
        tasks = {row.call: row for row in orchestrations.tasks_of(self.connection, job_id)}
        calls = sorted(queries.begun_calls(self.connection, [job_id]), key=lambda row: row.number)
        ahead = _before_lanes(calls)
        for index, subtask in enumerate(lanes):
            own = [
                row
                for row in calls
                if row.number > ahead and (row.number - ahead - 1) % len(lanes) == index
            ]
            lane = _Lane(self.connection, subtask.agent, subtask.id in chosen)
            for row in own:
                lane.take(row, tasks.get(row.number))
            settled = subtask.id in self.outcomes
            self.attempts.setdefault(subtask.id, []).extend(lane.finished(settled=settled))
            usage = [*([self.usage[subtask.id]] if subtask.id in self.usage else []), *lane.usage]
            self.usage[subtask.id] = conversations.sum_up(usage)

    def shown(self, subtask: Subtask) -> SubtaskView:
        """A subtask of the plan as it is now."""
        outcome = self.outcomes.get(subtask.id)
        attempts = self.attempts.get(subtask.id, [])
        status = "waiting" if self.open else "cancelled"
        if outcome is not None:
            status = outcome["status"]
        elif attempts:
            status = _status_of(attempts[-1]) if self.open else "cancelled"
        return SubtaskView(
            subtask=subtask.id,
            title=subtask.title,
            agent=subtask.agent,
            brief=subtask.brief,
            depends_on=tuple(subtask.sources),
            required=subtask.required,
            status=status,
            reasons=tuple(outcome.get("reasons", ())) if outcome is not None else (),
            attempts=tuple(attempts),
            usage=self.usage.get(subtask.id, {}),
        )


def _before_lanes(calls: Sequence[Any]) -> int:
    """How many calls a round has made before its lanes: of those the first is never a step."""
    ahead = 1 if calls and (calls[0].number, calls[0].kind) == (1, "step") else 0
    gate = [row for row in calls if row.kind == "approval"]
    return max([ahead, *(row.number for row in gate)])


def _status_of(last: AttemptView) -> Any:
    return "succeeded" if last.status == "accepted" else "working"


@dataclass(slots=True)
class _Lane:
    """The calls of one subtask in one round, read in their order."""

    connection: sa.Connection
    agent: str
    """Who it was planned for."""
    chosen: bool
    attempts: list[AttemptView] = field(default_factory=list[AttemptView])
    usage: list[dict[str, int]] = field(default_factory=list[dict[str, int]])
    rested: bool = False
    gave_up: bool = False

    def take(self, call: Any, task: Any) -> None:
        """Take in a call, and the task that it has assigned."""
        outcome = None
        if call.envelope is not None:
            outcome = values.read(blobs.unfold(self.connection, call.envelope))
        if task is not None:
            self.usage.append(
                conversations.usage_so_far(self.connection, task)
                if task.usage is None
                else task.usage
            )
        match call.kind, call.name:
            case "task", _ if task is not None and task.instructions == JUDGING:
                self._judged(_of_judge(outcome))
            case "task", agent:
                self.attempts.append(self._attempt(call, task, agent, outcome))
                self.rested = False
            case "step", _:
                self._judged(_of_check(outcome))
            case "sleep", _:
                self.rested = True
            case "value", name if name == REFUSED and isinstance(outcome, values.Value):
                self.attempts.append(_refused(call, json.loads(outcome.text)))
            case "value", name if name == GAVE_UP:
                self.gave_up = True
            case _:
                pass

    def _attempt(self, call: Any, task: Any, agent: str, outcome: Any) -> AttemptView:
        status, reasons = "working", ()
        if isinstance(outcome, values.Failure):
            status, reasons = "failed", (outcome.error["message"],)
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
            usage={} if task is None else task.usage or {},
        )

    def _why(self, agent: str) -> Any:
        if not self.attempts:
            return "chosen" if self.chosen else "first" if agent == self.agent else "fallback"
        if self.attempts[-1].agent != agent:
            return "fallback"
        return "retried" if self.rested else "asked_again"

    def _judged(self, reasons: Sequence[str] | None) -> None:
        if reasons and self.attempts:
            last = self.attempts[-1]
            self.attempts[-1] = replace(last, status="rejected", reasons=tuple(reasons))

    def finished(self, *, settled: bool) -> Iterable[AttemptView]:
        """The attempts. Where something came after an answer, or the end, it was accepted."""
        for position, each in enumerate(self.attempts):
            last = position == len(self.attempts) - 1
            if each.status == "judging" and (settled or not last):
                each = replace(each, status="accepted")
            yield each


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


def _round(
    round: Round, before: Standing, plan: Sequence[Subtask], outcome: values.Outcome | None
) -> RoundView:
    failed = isinstance(outcome, values.Failure)
    recorded = as_given(plan)
    chosen = round.input if verb_of(round.callable) == "delegate" else None
    return RoundView(
        verb=verb_of(round.callable),
        job_id=round.job_id,
        status=round.status,
        reason=round.input.get("reason"),
        error=error_view(outcome.error) if failed else None,
        created_at=moment(round.created_at),
        ended_at=moment_or_none(round.ended_at),
        changes=changes(as_given(before.subtasks), recorded) if recorded else (),
        approval=approval_of(round),
        chosen={} if chosen is None else {chosen["subtask"]: chosen["agent"]},
        plan=tuple(recorded),
    )
