"""Every error Lampwork raises. Each names the thing, the reason and what to do next.

    LampworkError
    ├── ProjectError                a definition is wrong
    │   ├── DuplicateName · ProjectNotFound · NotImportable · SkillInvalid · TriggerInvalid
    ├── InputInvalid                what was given does not fit
    │   ├── InstructionsMissing · MetadataUnknown · MetadataInvalid · OutputTypeInvalid
    │   ├── DelegationCycle · DelegationTooDeep · GenieNotEligible · BudgetNotEnforceable
    │   ├── TooManyFiles · FileRejected · ArtifactInvalid
    ├── UserNotAllowed              what belongs to another user
    ├── NotFound
    │   ├── RecipeNotFound · GenieNotFound · GenieNotInProject · JobNotFound
    │   ├── ConversationNotFound · WaitNotFound · TaskNotFound · ArtifactNotFound
    │   ├── TriggerNotFound
    ├── Conflict
    │   ├── IdempotencyConflict · AlreadyAnswered · JobEnded · ConversationBusy · CopyRefused
    │   ├── GenieInactive · TaskNotWaiting · ProposalChanged
    ├── ModelError
    │   ├── ModelUnknown · ModelKeyMissing · ModelUnavailable · ContextTooLong
    │   ├── LiveModelRefused · ScriptEnded · ScriptCallInvalid · RecordingDiffers
    ├── CallError                   a job call that cannot be made
    │   ├── UnknownCall · CallNotAwaited · CallInterrupted · ResultNotRecordable
    ├── StepFailed · JobFailed · BranchesFailed · WaitTimedOut · PollFailed
    ├── TestingError                a test can't go on like that
    │   ├── StillWaiting · StillExecuting · CrashTestFailed
    ├── TaskError                   a task that ended without its answer
    │   ├── TaskNotCompleted · OutputInvalid · SkillFailing · SkillFailed · TurnLimitReached
    │   ├── MetadataLeaked · BudgetExceeded · TaskDeadlineExceeded
    └── StoreError
        ├── FolderInUse · FolderNotWritable · DatabaseTooNew · StoreUnavailable

An error is recorded as `{"code", "message", "fields"}` and is rebuilt from that record when a job
is replayed, so `except` sees the same class and the same fields each time.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any, ClassVar

__all__ = [
    "AlreadyAnswered",
    "ArtifactInvalid",
    "ArtifactNotFound",
    "BranchesFailed",
    "BudgetExceeded",
    "BudgetNotEnforceable",
    "CallError",
    "CallInterrupted",
    "CallNotAwaited",
    "Conflict",
    "ContextTooLong",
    "ConversationBusy",
    "ConversationNotFound",
    "CopyRefused",
    "CrashTestFailed",
    "DatabaseTooNew",
    "DelegationCycle",
    "DelegationTooDeep",
    "DuplicateName",
    "FileRejected",
    "FolderInUse",
    "FolderNotWritable",
    "GenieInactive",
    "GenieNotEligible",
    "GenieNotFound",
    "GenieNotInProject",
    "IdempotencyConflict",
    "InputInvalid",
    "InstructionsMissing",
    "JobEnded",
    "JobFailed",
    "JobNotFound",
    "LampworkError",
    "LiveModelRefused",
    "MetadataInvalid",
    "MetadataLeaked",
    "MetadataUnknown",
    "ModelError",
    "ModelKeyMissing",
    "ModelUnavailable",
    "ModelUnknown",
    "NotDone",
    "NotFound",
    "NotImportable",
    "OutputInvalid",
    "OutputTypeInvalid",
    "PollFailed",
    "ProjectError",
    "ProjectNotFound",
    "ProposalChanged",
    "RecipeNotFound",
    "RecordingDiffers",
    "ResultNotRecordable",
    "ScriptCallInvalid",
    "ScriptEnded",
    "SkillFailed",
    "SkillFailing",
    "SkillInvalid",
    "StepFailed",
    "StillExecuting",
    "StillWaiting",
    "StoreError",
    "StoreUnavailable",
    "TaskDeadlineExceeded",
    "TaskError",
    "TaskNotCompleted",
    "TaskNotFound",
    "TaskNotWaiting",
    "TestingError",
    "TooManyFiles",
    "TriggerInvalid",
    "TriggerNotFound",
    "TurnLimitReached",
    "UnknownCall",
    "UserNotAllowed",
    "WaitNotFound",
    "WaitTimedOut",
]


class LampworkError(Exception):
    """The base of all. `fields` is JSON and becomes attributes of the error."""

    code: ClassVar[str] = "lampwork_error"
    status: ClassVar[int] = 500

    _by_code: ClassVar[dict[str, type[LampworkError]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_")
        LampworkError._by_code[cls.code] = cls

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}") from None

    def to_record(self) -> dict[str, Any]:
        """`{"code", "message", "fields"}`, JSON."""
        return {"code": self.code, "message": self.message, "fields": self.fields}

    @staticmethod
    def from_record(record: dict[str, Any]) -> LampworkError:
        """The error that `to_record` wrote down."""
        kind = LampworkError._by_code.get(record["code"], LampworkError)
        return kind(record["message"], **record["fields"])


def quoted(name: object) -> str:
    """A name that someone gave, in quotes, on one line, cut to what people read."""
    return json.dumps(str(name)[:220], ensure_ascii=False)


def one_of(given: str, known: Iterable[str]) -> str:
    """The end of an error about a name that there is not: which was meant, or which there are."""
    listed = list(known)
    return close_to(given, listed) or f"There are: {', '.join(listed) or 'none'}."


def close_to(given: str, known: Iterable[str]) -> str:
    """A question for the name that was meant, if one comes near; or nothing."""
    near = difflib.get_close_matches(given, list(known), n=2)
    return f"Did you mean {' or '.join(map(quoted, near))}?" if near else ""


class ProjectError(LampworkError):
    """A definition in the project's code is wrong."""

    status = 500


class DuplicateName(ProjectError):
    """Two recipes, genies or skills of one project share a name."""


class ProjectNotFound(ProjectError):
    """The path or module holds no project, or more than one."""

    status = 404


class NotImportable(ProjectError):
    """A function that must be found again by name, `module:name`, can't be: a lambda, a closure."""


class SkillInvalid(ProjectError):
    """A skill whose signature cannot be turned into a schema, or whose options contradict."""


class TriggerInvalid(ProjectError):
    """A trigger that could never start its recipe. Fields: `recipe`, `place` (file and line)."""


class InputInvalid(LampworkError):
    """What was given does not fit the signature or the type. Fields: `problems`, texts."""

    status = 422

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **({"problems": [message]} | fields))


class InstructionsMissing(InputInvalid):
    """A task without instructions."""


class MetadataUnknown(InputInvalid):
    """A metadata key that no skill of the genie declares. Fields: `key`, `known`."""


class MetadataInvalid(InputInvalid):
    """A metadata value that does not fit the type its skill declares. Fields: `key`."""


class OutputTypeInvalid(InputInvalid):
    """An output type that cannot be described to a model."""


class DelegationCycle(InputInvalid):
    """A genie is assigned a task below one of its own. Fields: `genies`, the chain by name."""


class DelegationTooDeep(InputInvalid):
    """Too many tasks, one below the other. Fields: `genies`, the chain by name."""


class GenieNotEligible(InputInvalid):
    """The genie has skills that take a user, and a background task has none. Fields: `reasons`."""


class TooManyFiles(InputInvalid):
    """More files than a task takes. Fields: `files`, how many there were."""


class FileRejected(InputInvalid):
    """A file that a task can't have. Fields: `file`, its name, `cap`, the limit that it broke."""


class ArtifactInvalid(InputInvalid):
    """An artifact that can't be saved: its name, its content or its media type."""


class BudgetNotEnforceable(InputInvalid):
    """A limit on money for a model whose price is not known. Fields: `model`."""


class UserNotAllowed(LampworkError):
    """A chat, or a decision, that belongs to another user. Fields: `user`, who asked for it."""

    status = 403


class NotFound(LampworkError):
    """Something that was named does not exist, or belongs to another project."""

    status = 404


class RecipeNotFound(NotFound):
    """No such recipe in the project."""


class GenieNotFound(NotFound):
    """No such genie in the project."""


class GenieNotInProject(NotFound):
    """The genie belongs to another project."""


class JobNotFound(NotFound):
    """No such job."""


class ConversationNotFound(NotFound):
    """No such conversation, or one of another project."""


class WaitNotFound(NotFound):
    """Nothing waits under that id."""


class TaskNotFound(NotFound):
    """No such task."""


class ArtifactNotFound(NotFound):
    """No such artifact, or one of another project."""


class TriggerNotFound(NotFound):
    """The recipe has no such trigger, or has several and none was named. Fields: `known`."""


class Conflict(LampworkError):
    """It can't be done in the state that things are in."""

    status = 409


class IdempotencyConflict(Conflict):
    """The idempotency key was used within 24 hours with another body. Fields: `job_id`."""


class AlreadyAnswered(Conflict):
    """The wait has its answer; the first one counts. Fields: `source`, who answered."""


class JobEnded(Conflict):
    """The job has ended; it takes no events, answers or cancellation. Fields: `job_status`."""


class ConversationBusy(Conflict):
    """Another task holds the conversation, and waiting was not wanted or would never end."""


class CopyRefused(Conflict):
    """No such copy of the job can be made now. Fields: `root`, the job at the top of its tree."""


class GenieInactive(Conflict):
    """The genie is paused and takes no new tasks. Fields: `genie`, `by`, `why`."""


class TaskNotWaiting(Conflict):
    """The task is being worked on, so nobody can answer it in the genie's place."""


class ProposalChanged(Conflict):
    """What was decided is not what is proposed now. Fields: `digest`, of what is."""


class ModelError(LampworkError):
    """The model can't be used."""

    status = 502


class ModelUnknown(ModelError):
    """The model id means nothing to the model layer."""

    status = 422


class ModelKeyMissing(ModelError):
    """The provider's key is not in the environment. Fields: `key_env`."""

    status = 422


class ModelUnavailable(ModelError):
    """No model answered usefully, after bounded retries and fallbacks.

    Fields: `model` (the genie's own), `attempts`, `error_type` and `status_code` of the last
    failure, `tried` (each model with its last error), `usage` (requests that may have cost).
    """


class ContextTooLong(ModelError):
    """The request does not fit into the model.

    Fields: `model`, `models` (all that were asked), `parts` (the largest), `usage`.
    """

    status = 413


class LiveModelRefused(ModelError):
    """A test would have asked a model that is no playbook. Fields: `genie`, `model`."""

    status = 422


class ScriptEnded(ModelError):
    """A task of a test took more turns than its script has. Fields: `turns`."""

    status = 422


class ScriptCallInvalid(ModelError):
    """A test's script calls a skill that is not offered, or with arguments that don't fit it.

    Fields: `turn`, `skill`, `problems`.
    """

    status = 422


class RecordingDiffers(ModelError):
    """A test asks a recorded genie for what it was not asked then. Fields: `turn`, `problems`."""

    status = 422


class CallError(LampworkError):
    """A job call that cannot be made."""


class UnknownCall(CallError):
    """A job call that Lampwork can't number: made in an asyncio task of the user's own."""


class CallNotAwaited(CallError, AttributeError):
    """A recipe asks a job call for something before it has awaited it. Fields: `attribute`."""


class CallInterrupted(CallError):
    """A job call was cancelled from outside, as `asyncio.timeout` does; use `options(timeout=)`."""


class ResultNotRecordable(CallError):
    """A value that cannot be written down as JSON and read back the same."""


class StepFailed(LampworkError):
    """A step raised. Fields: `error_type` (qualified name), `details` (its message), `call`."""


class JobFailed(LampworkError):
    """A job did not succeed. Fields: `job_id`, `job_status`, `error` (its record or None)."""


class BranchesFailed(LampworkError):
    """Branches of `gather` or `map` failed; all had settled.

    Fields: `results` (by position, None where it failed), `errors` (position → exception).
    """

    def to_record(self) -> dict[str, Any]:
        """The errors' own records by position; results are in the record of their branches."""
        errors: dict[str, dict[str, Any]] = {
            str(position): error.to_record()
            if isinstance(error, LampworkError)
            else {"code": type(error).__name__, "message": str(error), "fields": {}}
            for position, error in self.fields["errors"].items()
        }
        return {"code": self.code, "message": self.message, "fields": {"errors": errors}}


class WaitTimedOut(LampworkError):
    """What was waited for did not come in time. Fields: `name`, `timeout` in seconds."""

    status = 504


class PollFailed(LampworkError):
    """The function of a poll raised, or did not return items in time. Fields: `function`."""

    status = 502


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


class StoreError(LampworkError):
    """The database or its folder."""

    status = 503


class FolderInUse(StoreError):
    """Another process executes jobs in this folder. Fields: `home`, `pid`."""


class FolderNotWritable(StoreError):
    """The folder for the state cannot be written."""


class DatabaseTooNew(StoreError):
    """The database was written by a newer Lampwork."""


class StoreUnavailable(StoreError):
    """The database did not take a change; nothing of it was acknowledged."""


class TestingError(LampworkError):
    """A test of a project can't go on like that."""

    __test__ = False  # for pytest, which takes classes of this name for tests


class StillWaiting(TestingError):
    """A test awaits a job that only waits for what nobody does. Fields: `job_id`, `waiting_on`."""

    status = 504


class StillExecuting(TestingError):
    """A test moves the clock, and something executes on and on. Fields: `jobs`."""

    status = 504


class CrashTestFailed(TestingError):
    """A recipe lost or doubled something when its process was killed. Fields: `boundaries`."""


class NotDone(Exception):
    """For skills and steps to raise: nothing happened, so it may safely be tried again."""
