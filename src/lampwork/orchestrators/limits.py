"""How far an orchestrator goes before it gives up."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from lampwork import faults
from lampwork.errors import OrchestratorInvalid

__all__ = ["OrchestrationLimits"]


@dataclass(frozen=True, slots=True)
class OrchestrationLimits:
    """What is tried, and how often: `OrchestrationLimits(parallel=20, revisions=0)`."""

    parallel: int = 8
    """Subtasks that are worked on at a time."""
    subtasks: int = 200
    """Of one plan."""
    asks: int = 1
    """How often an agent is asked again, in the same conversation, for an answer that a check did
    not accept."""
    retries: int = 2
    """How often an agent that erred is tried again."""
    backoff: float = 1.0
    """Seconds before the first retry; twice as many before each further one, up to a day."""
    set_aside_after: int = 2
    """Subtasks that an agent fails in a row before it gets no others in this round."""
    plan_attempts: int = 3
    """Invalid plans in a row with which the orchestration fails (PlanInvalid)."""
    revisions: int = 2
    """How often a plan is revised."""
    choices: int = 2
    """How often the orchestrator itself may give one subtask to an agent of its choice."""

    def __post_init__(self) -> None:
        with faults.judged():
            self._check()
            return
        for each in fields(self):  # of wrong ones that are kept nothing more is to be said
            object.__setattr__(self, each.name, each.default)

    def _check(self) -> None:
        least = {"parallel": 1, "subtasks": 1, "set_aside_after": 1, "plan_attempts": 1}
        for each in fields(self):
            value: Any = getattr(self, each.name)
            whole = each.name != "backoff"
            fits = type(value) is int or (not whole and type(value) is float)
            if not fits or not value >= least.get(each.name, 0):
                kind = "a whole number" if whole else "a number of seconds"
                raise OrchestratorInvalid(
                    f"OrchestrationLimits({each.name}={value!r}): give {kind} from "
                    f"{least.get(each.name, 0)} on."
                )
