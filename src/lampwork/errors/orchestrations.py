"""Orchestrators: how they are defined, and orchestrations that ended without their answer."""

from __future__ import annotations

from lampwork.errors.definitions import ProjectError
from lampwork.errors.tasks import TaskError


class OrchestratorInvalid(ProjectError):
    """An orchestrator that could not work: it has no agents, a skill, or a plan with a cycle."""


class TakenOver(TaskError):
    """A person has had something else done with a subtask than its agent was about to.

    Fields: `by`, `reason`.
    """


class PlanInvalid(TaskError):
    """A plan, or a change of it, that can't be carried out. Fields: `problems`."""


class PlanRejected(TaskError):
    """People have not approved of a plan. Fields: `by` and `reason`, of one that was decided on."""


class OrchestrationPartial(TaskError):
    """Required subtasks have failed, others have not. Fields: `sections`, `missing`."""


class OrchestrationFailed(TaskError):
    """Nothing that is of use has come of any subtask. Fields: `missing`."""
