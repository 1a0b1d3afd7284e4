"""Tasks that ended without their answer."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class TaskError(LampworkError):
    """A task ended without its answer. Fields: `task_id`, `conversation_id`, `usage`, `actions`."""


class TaskNotCompleted(TaskError):
    """The genie said that it cannot complete the task. Fields: `reason`, `missing`."""


class OutputInvalid(TaskError):
    """The answer did not fit the output type, after asking again. Fields: `attempt`, `problems`."""


class SkillFailing(TaskError):
    """One skill failed too often in a row. Fields: `skill`, `errors`."""


class SkillFailed(TaskError):
    """A person resolved an unknown outcome of a skill as failed. Fields: `skill`, `reason`."""


class MetadataLeaked(TaskError):
    """A request would have carried a sealed value, and was not sent. Fields: `key`, `source`."""


class TurnLimitReached(TaskError):
    """The genie took as many turns as a task may have. Fields: `turns`."""


class BudgetExceeded(TaskError):
    """A budget of the task, or of one above it, does not hold what comes next.

    Fields: `limit` (the name of the one that was met), `budget` (its limits), `budget_of` (whose it
    is), `spent` (of it, by the whole tree), `partial` (what the genie said last), `actions`,
    `usage`.
    """

    status = 402


class TaskDeadlineExceeded(TaskError):
    """The deadline of the task, or of one above it, has passed.

    Fields: `deadline` (ISO 8601), `partial` (what the genie said last), `actions`, `usage`.
    """

    status = 504
