"""Every error Lampwork raises. Each names the thing, the reason and what to do next.

    LampworkError
    ├── ProjectError                a definition is wrong
    │   ├── DuplicateName · ProjectNotFound · NotImportable · SkillInvalid · TriggerInvalid
    │   ├── RetentionInvalid · OrchestratorInvalid
    ├── ExtraMissing                packages that something needs
    ├── AddressInUse                where the server can't listen
    ├── InputInvalid                what was given does not fit
    │   ├── InstructionsMissing · MetadataUnknown · MetadataInvalid · OutputTypeInvalid
    │   ├── DelegationCycle · DelegationTooDeep · GenieNotEligible · BudgetNotEnforceable
    │   ├── TooManyFiles · FileRejected · ArtifactInvalid · DatabaseUrlInvalid · BodyTooLarge
    │   ├── BodyTooSlow · RangeInvalid · SeveralOrchestrations
    ├── UserNotAllowed              what belongs to another user
    ├── RoleLacking                 what a caller of the server may not do
    ├── SignInNeeded                nobody knows who calls
    │   ├── SignInRefused · LinkInvalid
    ├── TooManySignIns · TooManyStreams · AccountsLacking
    ├── DeliveryRefused · TooManyDeliveries     what comes to a webhook
    ├── OutboundError               what is not reached over HTTP
    │   ├── OutboundRefused · OutboundTooLarge · OutboundTooSlow
    ├── NotFound
    │   ├── RecipeNotFound · GenieNotFound · GenieNotInProject · JobNotFound
    │   ├── ConversationNotFound · WaitNotFound · TaskNotFound · ArtifactNotFound
    │   ├── TriggerNotFound · AccountNotFound · KeyNotFound
    ├── Conflict
    │   ├── IdempotencyConflict · AlreadyAnswered · JobEnded · ConversationBusy · CopyRefused
    │   ├── GenieInactive · TaskNotWaiting · ProposalChanged · OrderCycle · QueueFull
    │   ├── ErasureRefused · JobErased · AccountExists · LastAdmin · TriggerPaused
    │   ├── SubtaskSettled
    ├── ModelError
    │   ├── ModelUnknown · ModelKeyMissing · ModelUnavailable · ContextTooLong · PlaybookFailed
    │   ├── LiveModelRefused · ScriptEnded · ScriptCallInvalid · RecordingDiffers
    ├── CallError                   a job call that cannot be made
    │   ├── UnknownCall · CallNotAwaited · CallInterrupted · ResultNotRecordable
    ├── StepFailed · JobFailed · BranchesFailed · WaitTimedOut · PollFailed
    ├── ServerError                 a server that is spoken to by its API
    │   ├── ServerUnreachable · ServerRefused
    ├── NotByServer                 what takes the folder or the database itself
    ├── EndpointFailed              what job.call_endpoint has called
    ├── TestingError                a test can't go on like that
    │   ├── StillWaiting · StillExecuting · CrashTestFailed
    ├── TaskError                   a task that ended without its answer
    │   ├── TaskNotCompleted · OutputInvalid · SkillFailing · SkillFailed · TurnLimitReached
    │   ├── MetadataLeaked · BudgetExceeded · TaskDeadlineExceeded
    │   ├── PlanInvalid · PlanRejected · TakenOver · OrchestrationPartial · OrchestrationFailed
    └── StoreError
        ├── FolderInUse · FolderNotWritable · DatabaseBehind · DatabaseTooNew
        ├── DatabaseNotSupported · StoreUnavailable · DatabaseNotWritable
        ├── BackupRefused · BackupInvalid · RestoreRefused

An error is recorded as `{"code", "message", "fields"}` and is rebuilt from that record when a job
is replayed, so `except` sees the same class and the same fields each time.
"""

from __future__ import annotations

from lampwork.errors.calls import (
    BranchesFailed,
    CallError,
    CallInterrupted,
    CallNotAwaited,
    EndpointFailed,
    JobFailed,
    NotDone,
    PollFailed,
    ResultNotRecordable,
    StepFailed,
    UnknownCall,
    WaitTimedOut,
)
from lampwork.errors.conflicts import (
    AccountExists,
    AlreadyAnswered,
    Conflict,
    ConversationBusy,
    CopyRefused,
    ErasureRefused,
    GenieInactive,
    IdempotencyConflict,
    JobEnded,
    JobErased,
    LastAdmin,
    OrderCycle,
    ProposalChanged,
    QueueFull,
    SubtaskSettled,
    TaskNotWaiting,
    TriggerPaused,
)
from lampwork.errors.definitions import (
    AddressInUse,
    DuplicateName,
    ExtraMissing,
    NotImportable,
    ProjectError,
    ProjectNotFound,
    RetentionInvalid,
    SkillInvalid,
    TriggerInvalid,
)
from lampwork.errors.error import LampworkError
from lampwork.errors.inputs import (
    ArtifactInvalid,
    BodyTooLarge,
    BodyTooSlow,
    BudgetNotEnforceable,
    DatabaseUrlInvalid,
    DelegationCycle,
    DelegationTooDeep,
    FileRejected,
    GenieNotEligible,
    InputInvalid,
    InstructionsMissing,
    MetadataInvalid,
    MetadataUnknown,
    OutputTypeInvalid,
    RangeInvalid,
    SeveralOrchestrations,
    TooManyFiles,
    UserNotAllowed,
)
from lampwork.errors.missing import (
    AccountNotFound,
    ArtifactNotFound,
    ConversationNotFound,
    GenieNotFound,
    GenieNotInProject,
    JobNotFound,
    KeyNotFound,
    NotFound,
    RecipeNotFound,
    TaskNotFound,
    TriggerNotFound,
    WaitNotFound,
)
from lampwork.errors.models import (
    ContextTooLong,
    LiveModelRefused,
    ModelError,
    ModelKeyMissing,
    ModelUnavailable,
    ModelUnknown,
    PlaybookFailed,
    RecordingDiffers,
    ScriptCallInvalid,
    ScriptEnded,
)
from lampwork.errors.orchestrations import (
    OrchestrationFailed,
    OrchestrationPartial,
    OrchestratorInvalid,
    PlanInvalid,
    PlanRejected,
    TakenOver,
)
from lampwork.errors.outbound import (
    OutboundError,
    OutboundRefused,
    OutboundTooLarge,
    OutboundTooSlow,
)
from lampwork.errors.people import (
    AccountsLacking,
    DeliveryRefused,
    LinkInvalid,
    RoleLacking,
    SignInNeeded,
    SignInRefused,
    TooManyDeliveries,
    TooManySignIns,
    TooManyStreams,
)
from lampwork.errors.servers import (
    NotByServer,
    ServerError,
    ServerRefused,
    ServerUnreachable,
)
from lampwork.errors.stores import (
    BackupInvalid,
    BackupRefused,
    DatabaseBehind,
    DatabaseNotSupported,
    DatabaseNotWritable,
    DatabaseTooNew,
    FolderInUse,
    FolderNotWritable,
    RestoreRefused,
    StoreError,
    StoreUnavailable,
)
from lampwork.errors.tasks import (
    BudgetExceeded,
    MetadataLeaked,
    OutputInvalid,
    SkillFailed,
    SkillFailing,
    TaskDeadlineExceeded,
    TaskError,
    TaskNotCompleted,
    TurnLimitReached,
)
from lampwork.errors.testing import (
    CrashTestFailed,
    StillExecuting,
    StillWaiting,
    TestingError,
)
from lampwork.errors.wording import (
    TOLD as TOLD,
)
from lampwork.errors.wording import (
    close_to as close_to,
)
from lampwork.errors.wording import (
    few as few,
)
from lampwork.errors.wording import (
    has_ended as has_ended,
)
from lampwork.errors.wording import (
    joined as joined,
)
from lampwork.errors.wording import (
    one_of as one_of,
)
from lampwork.errors.wording import (
    quoted as quoted,
)
from lampwork.errors.wording import (
    sentence as sentence,
)

__all__ = [
    "AccountExists",
    "AccountNotFound",
    "AccountsLacking",
    "AddressInUse",
    "AlreadyAnswered",
    "ArtifactInvalid",
    "ArtifactNotFound",
    "BackupInvalid",
    "BackupRefused",
    "BodyTooLarge",
    "BodyTooSlow",
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
    "DatabaseBehind",
    "DatabaseNotSupported",
    "DatabaseNotWritable",
    "DatabaseTooNew",
    "DatabaseUrlInvalid",
    "DelegationCycle",
    "DelegationTooDeep",
    "DeliveryRefused",
    "DuplicateName",
    "EndpointFailed",
    "ErasureRefused",
    "ExtraMissing",
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
    "JobErased",
    "JobFailed",
    "JobNotFound",
    "KeyNotFound",
    "LampworkError",
    "LastAdmin",
    "LinkInvalid",
    "LiveModelRefused",
    "MetadataInvalid",
    "MetadataLeaked",
    "MetadataUnknown",
    "ModelError",
    "ModelKeyMissing",
    "ModelUnavailable",
    "ModelUnknown",
    "NotByServer",
    "NotDone",
    "NotFound",
    "NotImportable",
    "OrchestrationFailed",
    "OrchestrationPartial",
    "OrchestratorInvalid",
    "OrderCycle",
    "OutboundError",
    "OutboundRefused",
    "OutboundTooLarge",
    "OutboundTooSlow",
    "OutputInvalid",
    "OutputTypeInvalid",
    "PlanInvalid",
    "PlanRejected",
    "PlaybookFailed",
    "PollFailed",
    "ProjectError",
    "ProjectNotFound",
    "ProposalChanged",
    "QueueFull",
    "RangeInvalid",
    "RecipeNotFound",
    "RecordingDiffers",
    "RestoreRefused",
    "ResultNotRecordable",
    "RetentionInvalid",
    "RoleLacking",
    "ScriptCallInvalid",
    "ScriptEnded",
    "ServerError",
    "ServerRefused",
    "ServerUnreachable",
    "SeveralOrchestrations",
    "SignInNeeded",
    "SignInRefused",
    "SkillFailed",
    "SkillFailing",
    "SkillInvalid",
    "StepFailed",
    "StillExecuting",
    "StillWaiting",
    "StoreError",
    "StoreUnavailable",
    "SubtaskSettled",
    "TakenOver",
    "TaskDeadlineExceeded",
    "TaskError",
    "TaskNotCompleted",
    "TaskNotFound",
    "TaskNotWaiting",
    "TestingError",
    "TooManyDeliveries",
    "TooManyFiles",
    "TooManySignIns",
    "TooManyStreams",
    "TriggerInvalid",
    "TriggerNotFound",
    "TriggerPaused",
    "TurnLimitReached",
    "UnknownCall",
    "UserNotAllowed",
    "WaitNotFound",
    "WaitTimedOut",
]

# Errors are recorded and matched by their names: in which file one is defined is no part of that.
for _each in __all__:
    globals()[_each].__module__ = __name__
