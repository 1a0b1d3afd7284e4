"""The ledger of an orchestration, read from what its rounds have on record.

No row says what an attempt is: the calls of a lane, in their order, do (`lane_record.py`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lampwork import values
from lampwork.errors import TaskNotFound
from lampwork.insights.conversations import error_view
from lampwork.insights.files import saved_views
from lampwork.insights.plans import approval_of, changes
from lampwork.insights.waiting import waiting_on
from lampwork.orchestrators.lane_record import LaneRecord, lanes_of
from lampwork.orchestrators.plan import Subtask, as_given
from lampwork.orchestrators.plans import Standing, chosen_in, plan_of, standing, verb_of
from lampwork.store.lists import queries
from lampwork.store.tasks import artifacts, conversations, orchestrations, orders
from lampwork.store.tasks.orchestrations import Round
from lampwork.types import ENDED, Json
from lampwork.views.jobs import WaitingOn
from lampwork.views.orchestrations import (
    AttemptView,
    OrchestrationView,
    RoundView,
    SubtaskOrder,
    SubtaskView,
)
from lampwork.views.shown import moment, moment_or_none

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["orchestration"]


def orchestration(connection: sa.Connection, id: str) -> OrchestrationView:
    """The ledger of an orchestration, by its task or the job that assigned it.

    Raises JobNotFound; TaskNotFound for a task that planned nothing, or a job without another one;
    SeveralOrchestrations for a job with more than one.
    """
    task_id = orchestrations.named(connection, id)
    row = queries.task(connection, task_id)
    rounds = orchestrations.rounds_of(connection, task_id)
    if not rounds:
        raise TaskNotFound(
            f"Task {task_id} of {row.genie} is no orchestration: no plan of it was taken. "
            f"`lampwork conversation {row.conversation_id}` shows what was said."
        )
    waits = _waits_of(connection, row)
    ledger = _Ledger(connection, _stuck_in(waits, [each.job_id for each in rounds]))
    for number, each in enumerate(rounds):
        ledger.take(each, standing(rounds[:number]))
    usage = [conversations.usage_so_far(connection, row)]
    outcome: dict[str, Json] = row.outcome or {}
    return OrchestrationView(
        orchestration_id=row.id,
        orchestrator=row.genie,
        status=orchestrations.status(connection, row.id),
        waiting_on=waits,
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


def _waits_of(connection: sa.Connection, row: queries.Row) -> tuple[WaitingOn, ...]:
    """What the task of an orchestrator waits for, or all of its job if that stands still."""
    if row.ended_at is not None:
        return ()
    of_job = waiting_on(connection, [queries.job(connection, row.job_id)])[row.job_id]
    return tuple(each for each in of_job if each.task == row.id or each.kind in _OF_ALL_OF_A_JOB)


_OF_ALL_OF_A_JOB = ("attention", "turn")
"""The waits of a job that keep each of its tasks from going on."""


@dataclass(frozen=True, slots=True)
class _Stuck:
    """What does not go on until a person has looked."""

    tasks: frozenset[str] = frozenset()
    all: bool = False
    """The whole round."""


def _stuck_in(waits: Iterable[WaitingOn], rounds: Collection[str]) -> _Stuck:
    found = [below for each in waits if each.job in rounds for below in each.waiting_on]
    return _Stuck(
        frozenset(each.task for each in found if each.task is not None and _needs_person(each)),
        all=any(each.kind == "attention" for each in found),
    )


def _needs_person(wait: WaitingOn) -> bool:
    return wait.kind in ("attention", "resolution") or any(map(_needs_person, wait.waiting_on))


@dataclass(slots=True)
class _Ledger:
    """What the rounds add up to, taken in one after the other."""

    connection: sa.Connection
    stuck: _Stuck
    plan: tuple[Subtask, ...] = ()
    rounds: list[RoundView] = field(default_factory=list[RoundView])
    attempts: dict[str, list[AttemptView]] = field(default_factory=dict[str, list[AttemptView]])
    outcomes: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])
    usage: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    orders: dict[str, list[SubtaskOrder]] = field(default_factory=dict[str, list[SubtaskOrder]])
    standing: dict[str, str] = field(default_factory=dict[str, str])
    """By subtask, how it stands in the last round."""
    open: bool = False

    def take(self, round: Round, before: Standing) -> None:
        """Take in a round, by how the orchestration stood before it."""
        outcome = None if round.outcome is None else values.read(round.outcome)
        refused = isinstance(outcome, values.Failure) and not orchestrations.tasks_of(
            self.connection, round.job_id
        )  # else it was cancelled
        asked = round.proposal is not None
        plan = plan_of(round, before.subtasks) if asked or not refused else ()
        self.rounds.append(_round(round, before, plan, outcome))
        if refused:
            return
        self.plan = plan
        chosen = chosen_in(round)
        settled = before.settled(plan, chosen)
        self.outcomes = {id: each for id, each in self.outcomes.items() if id in settled}
        if isinstance(outcome, values.Value):
            self.outcomes |= {
                each["subtask"]: each for each in json.loads(outcome.text)["subtasks"]
            }
        self.open = round.status not in ENDED
        for each in lanes_of(self.connection, round.job_id, plan, settled, chosen):
            self._take_lane(each)
        self._take_orders(round.job_id)

    def _take_lane(self, lane: LaneRecord) -> None:
        """Take in what was done about a subtask in a round."""
        id = lane.subtask.id
        settled = id in self.outcomes
        attempts = self.attempts.setdefault(id, [])
        attempts.extend(lane.finished(settled=settled))
        usage = [*([self.usage[id]] if id in self.usage else []), *lane.usage]
        self.usage[id] = conversations.sum_up(usage)
        self.standing[id] = lane.status
        is_stuck = self.stuck.all or not self.stuck.tasks.isdisjoint(lane.tasks)
        if is_stuck and self.open and lane.status == "working":
            self.standing[id] = "needs_attention"
            if attempts[-1].status in ("working", "judging"):
                attempts[-1] = replace(attempts[-1], status="needs_attention")

    def _take_orders(self, job_id: str) -> None:
        """Take in what people have said of subtasks by hand."""
        for each in orders.given(self.connection, job_id):
            if each.verb != orders.CLOSED:
                self.orders.setdefault(each.subtask, []).append(
                    SubtaskOrder(
                        verb=each.verb,  # type: ignore[arg-type]
                        by=each.by,
                        at=moment(each.at),
                        reason=each.reason,
                        agent=each.agent,
                    )
                )

    def shown(self, subtask: Subtask) -> SubtaskView:
        """A subtask of the plan as it is now."""
        outcome = self.outcomes.get(subtask.id)
        attempts = self.attempts.get(subtask.id, [])
        status = self.standing.get(subtask.id, "waiting")
        if not self.open and status not in ("succeeded", "failed", "skipped"):
            status = "cancelled"
        if outcome is not None:
            status = outcome["status"]
        return SubtaskView(
            subtask=subtask.id,
            title=subtask.title,
            agent=subtask.agent,
            brief=subtask.brief,
            depends_on=tuple(subtask.sources),
            required=subtask.required,
            status=status,  # type: ignore[arg-type]
            orders=tuple(self.orders.get(subtask.id, ())),
            reasons=tuple(outcome.get("reasons", ())) if outcome is not None else (),
            attempts=tuple(attempts),
            usage=self.usage.get(subtask.id, {}),
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
