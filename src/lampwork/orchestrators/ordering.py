"""What a person has done about a subtask by hand, judged by what is on record, and put down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lampwork import clock
from lampwork.errors import InputInvalid, SubtaskSettled, TaskNotFound, joined, one_of
from lampwork.genies.output import describe
from lampwork.orchestrators.lane_record import LaneRecord, lanes_of
from lampwork.orchestrators.plans import chosen_in, plan_of, standing
from lampwork.store.jobs.inbox import Delivery
from lampwork.store.tasks import briefings, orchestrations, orders
from lampwork.store.tasks.orchestrations import Round
from lampwork.store.tasks.orders import CLOSED, Order
from lampwork.types import ENDED, Json

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["ask_for"]


def ask_for(
    connection: sa.Connection,
    orchestration: str,
    verb: str,
    subtask: str,
    *,
    by: str,
    reason: str,
    agent: str | None = None,
    answer: Json = None,
) -> list[Delivery]:
    """Put down what is to be done about a subtask; said twice it is done once.

    Raises TaskNotFound, InputInvalid, SubtaskSettled.
    """
    rounds = orchestrations.rounds_of(connection, orchestration)
    if not rounds:
        raise TaskNotFound(f"Task {orchestration} is no orchestration: no plan of it was taken.")
    round, so_far = rounds[-1], orders.given(connection, rounds[-1].job_id)
    lane = _lane(connection, orchestration, rounds, subtask)
    order = Order(
        number=len(so_far) + 1,
        verb=verb,
        subtask=subtask,
        by=by,
        at=clock.now(),
        reason=reason,
        agent=agent,
        answer=None,
    )
    if verb == "answer":
        order = replace(order, answer=_answer(lane, answer))
    if agent is not None:
        _require_agent(connection, orchestration, agent)
    before = [each for each in so_far if each.subtask == subtask]
    if before and before[-1].says_the_same(order) and lane.status in ("waiting", "working"):
        return []
    _require_open(orchestration, round, so_far, lane)
    if lane.status == "waiting" and verb == "retry" and not before:
        raise SubtaskSettled(
            f'Subtask "{subtask}" has not begun, so there is nothing to try again. It begins by '
            "itself; reassign, answer or skip it, if it is not to be done as it was planned.",
            subtask_status=lane.status,
        )
    return [orders.give(connection, round.job_id, orchestration, order)]


def _lane(
    connection: sa.Connection, orchestration: str, rounds: Sequence[Round], subtask: str
) -> LaneRecord:
    """The lane of a subtask in the last round. Raises InputInvalid, SubtaskSettled."""
    *earlier, last = rounds
    before = standing(earlier)
    plan = plan_of(last, before.subtasks)
    known = {each.id: each for each in plan}
    if subtask not in known:
        raise InputInvalid(
            f'Orchestration {orchestration} has no subtask "{subtask}". {one_of(subtask, known)}',
            problems=["subtask"],
        )
    chosen = chosen_in(last)
    settled = before.settled(plan, chosen)
    if subtask in settled:
        status = before.outcomes[subtask]["status"]
        raise SubtaskSettled(
            f'Subtask "{subtask}" has {_was(status)} in an earlier round, and stays so. {_ELSE}',
            subtask_status=status,
        )
    if last.proposal is not None and last.decision is None:
        raise SubtaskSettled(
            f"The plan waits to be approved, and nothing of it is under way. Edit it: "
            f"lampwork orchestration {orchestration} edit FILE",
            subtask_status="waiting",
        )
    lanes = lanes_of(connection, last.job_id, plan, settled, chosen)
    return next(each for each in lanes if each.subtask.id == subtask)


def _require_open(
    orchestration: str, round: Round, so_far: Sequence[Order], lane: LaneRecord
) -> None:
    """Raise SubtaskSettled if nothing can be done by hand about it any more."""
    if lane.status == "succeeded":
        raise SubtaskSettled(
            f'Subtask "{lane.subtask.id}" has succeeded, and others may go on with its answer. '
            f"{_ELSE}",
            subtask_status=lane.status,
        )
    if round.cancelling:
        raise SubtaskSettled(
            f'The round of subtask "{lane.subtask.id}" is being cancelled. Nothing was changed. '
            "Assign the task anew, or retry its job, once that has ended.",
            subtask_status=lane.status,
        )
    if round.status in ENDED or (so_far and so_far[-1].verb == CLOSED):
        raise SubtaskSettled(
            f'The round of subtask "{lane.subtask.id}" has ended, and its orchestrator decides '
            f"what comes next. Nothing was changed. Look at it with `lampwork orchestration "
            f"{orchestration}`; if it has failed, answer or retry its job.",
            subtask_status=lane.status,
        )


_ELSE = "Nothing was changed. To have it done otherwise, cancel its job, and assign the task anew."


def _was(status: str) -> str:
    return "been skipped by hand" if status == "skipped" else status


def _answer(lane: LaneRecord, value: Json) -> dict[str, Json]:
    """A person's answer as it is recorded, checked like an agent's. Raises InputInvalid."""
    subtask = lane.subtask
    if subtask.output is None:
        if not isinstance(value, str) or not value.strip():
            raise InputInvalid(f'Subtask "{subtask.id}" asks for a text. Nothing was changed.')
        return {"output": value, "response": value}
    output = describe(subtask.output)
    assert output is not None
    recorded, problems = output.take(value)
    if problems:
        raise InputInvalid(
            f'That is no answer for subtask "{subtask.id}": {joined(problems)} '
            "Nothing was changed.",
            problems=problems,
        )
    return {"output": recorded, "response": json.dumps(recorded, ensure_ascii=False)}


def _require_agent(connection: sa.Connection, orchestration: str, agent: str) -> None:
    """Raise InputInvalid for one that its orchestrator was not told of."""
    known: list[str] = []
    for content in briefings.of_task(connection, orchestration):
        for skill in content["skills"]:
            if skill["name"] == "delegate":
                schema: dict[str, Any] = skill["parameters"]
                known = schema["properties"]["agent"]["enum"]
    if agent not in known:
        raise InputInvalid(
            f'There is no agent "{agent}". {one_of(agent, known)} Nothing was changed.',
            problems=["agent"],
        )
