"""What a genie did in a task: its skill calls, and the tasks that stood below them.

A skill that is a recipe starts a job, and that job may assign tasks to other genies, by further
jobs and at any depth. All of them are told with the call that led to them, failed ones too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from lampwork.types import Json

__all__ = ["Action", "DelegatedTask", "actions_record"]

_LARGE = 500
"""Characters of a result that stays in its conversation, and is only referred to in an answer."""


@dataclass(frozen=True, slots=True)
class Action:
    """A skill call of a task and what came of it.

    `status` is `ok`, `error` (it raised), `refused` (the model named metadata), `invalid`,
    `unknown_skill`, `rejected` (by the user who was to confirm it, or a person who was to approve a
    plan), `failed` (a person said so), `over_budget` or `not_completed` (out of time); of a task
    that was stopped also `unknown` (nobody knows whether it happened), `open` or `proposed`.
    """

    call: str
    skill: str
    arguments: dict[str, Json]
    status: str
    error: str | None = None
    result: Json = None
    entry: int | None = None
    """The conversation's entry that holds the result, where that is too large to stand here."""
    artifacts: tuple[str, ...] = ()
    """The names of the files that it has saved."""
    job: str | None = None
    """The job that the call started, when the skill is a recipe."""
    tasks: tuple[DelegatedTask, ...] = ()
    """The tasks that this job, or one below it, assigned."""

    @classmethod
    def from_json(cls, record: dict[str, Json]) -> Action:
        """The action that a record holds."""
        below = tuple(DelegatedTask.from_json(each) for each in record.get("tasks", ()))
        saved = tuple(record.get("artifacts", ()))
        given: dict[str, Any] = record | {"tasks": below, "artifacts": saved}
        return cls(**given)


@dataclass(frozen=True, slots=True)
class DelegatedTask:
    """A task that stood below a skill call, as it was when the task above it ended."""

    task_id: str
    job_id: str
    genie: str
    status: str
    conversation_id: str
    actions: tuple[Action, ...] = ()
    error: str | None = None
    answered_by: str | None = None
    """The person who answered in the genie's place, if one did."""

    @classmethod
    def from_json(cls, record: dict[str, Json]) -> DelegatedTask:
        """The task that a record holds."""
        actions = tuple(Action.from_json(each) for each in record["actions"])
        given: dict[str, Any] = record | {"actions": actions}
        return cls(**given)


def actions_record(actions: Iterable[Action], below: Iterable[dict[str, Json]] = ()) -> list[Json]:
    """Actions as they are recorded, each with those of the records `below` that stood below it."""
    delegated = list(below)
    return [_record(action, delegated) for action in actions]


def _record(action: Action, delegated: Iterable[dict[str, Json]]) -> dict[str, Json]:
    record: dict[str, Any] = {each.name: getattr(action, each.name) for each in fields(action)}
    record["artifacts"] = list(action.artifacts)
    record["tasks"] = [each for each in delegated if _stands_below(each["job_id"], action.job)]
    if action.result is not None and len(json.dumps(action.result)) > _LARGE:
        record["result"] = None
    else:
        record["entry"] = None
    kept = ("call", "skill", "arguments", "status", "error", "result")
    return {name: value for name, value in record.items() if name in kept or value}


def _stands_below(job_id: str, above: str | None) -> bool:
    """Whether a job is the one above, or was started by it, by one that it started, and so on."""
    return above is not None and f"{job_id}.".startswith(f"{above}.")
