"""Jobs as people and programs are shown them: in lists, as trees of calls, with their tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lampwork.types import CARRIERS, ROUNDS, Json

_CARRIERS = dict(zip(CARRIERS, ("a task of its own", "a message in a chat"), strict=True))
_ROUNDS = {"plan": "plan", "revise": "revision", "delegate": "choice"}


def title_of(recipe: str, orchestrator: str | None) -> str:
    """What a job executes, for people."""
    if not recipe.startswith(ROUNDS):
        return _CARRIERS.get(recipe, recipe)
    return f"{_ROUNDS[recipe.removeprefix(ROUNDS)]} of {orchestrator or 'an orchestrator'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingOn:
    """One thing that a job waits for; of a child job, what that one waits for in turn."""

    kind: str
    """A wait's kind (`event timer child map conversation resolution confirmation approval
    paused`), or `task` for a genie at work, `turn` for a place under a map's limit, `attention` for
    a person who mends the job, `answered` for a person's word that no process has taken up yet."""
    what: str
    """In words."""
    since: datetime
    until: datetime | None = None
    wait_id: str | None = None
    """What `job ID resolve` takes, for a wait of kind `resolution`; `confirm`, for that kind."""
    task: str | None = None
    genie: str | None = None
    job: str | None = None
    """The child job."""
    subject: dict[str, Json] | None = None
    """The wait's own facts: an event's name; a skill call's arguments, its key and why; of one
    that is to be confirmed, its `digest`, its `user` and what the skill `says` it does."""
    metadata: dict[str, Json] | None = None
    """Of a skill call that people decide on: its task's, to tell them whom it is about."""
    waiting_on: tuple[WaitingOn, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job, as in a list."""

    job_id: str
    recipe: str
    """A recipe's name, or `module:function` for an item of a map and the like."""
    status: str
    waiting_on: tuple[WaitingOn, ...]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    parent: str | None
    version: str
    project: str
    cancelling: bool
    """Whether it is to be cancelled and what executes has not ended yet."""
    attention: str | None
    """Why a person must look, if the job was stopped for that."""
    retry_of: str | None = None
    rerun_of: str | None = None
    fork_of: str | None = None
    """The job that this one is a copy of."""
    erased_at: datetime | None = None
    """Since when it says no more than that it was."""
    orchestrator: str | None = None
    """Whose plan it carries out, if it does."""
    worker: str | None = None
    """The id of the process that executes it just now: `lampwork workers` lists them."""

    @property
    def carries_task(self) -> bool:
        """Whether it stands for a task that was assigned from outside any recipe."""
        return self.recipe in _CARRIERS

    @property
    def is_round(self) -> bool:
        """Whether it carries out a plan of an orchestrator."""
        return self.recipe.startswith(ROUNDS)

    @property
    def title(self) -> str:
        """What it executes, for people."""
        return title_of(self.recipe, self.orchestrator)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """Why something failed."""

    code: str
    message: str
    fields: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """A file of a task, or an artifact of a skill call; its content is not shown."""

    name: str
    media_type: str
    size: int
    """Bytes."""
    digest: str
    url: str
    """Where a server has its content, for whoever may see the task: relative to its address."""
    notes: tuple[str, ...] = ()
    """What to know of what was read from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that is kept for a day, and for as long as a job has it."""

    name: str
    media_type: str
    digest: str
    """By this it is named in `files` of tasks and jobs."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What all parts of a transcript say."""

    kind: str
    seq: int
    at: datetime
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Part):
    """A call that was not taken, and what the model was told."""

    kind: Literal["refused"] = "refused"
    verdict: str
    skill: str
    arguments: dict[str, Json]
    argument_refused: tuple[str, ...]
    """Arguments that name metadata, which is never the model's to give."""
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillCard:
    """One skill call of a genie and all that is known of it."""

    kind: Literal["skill_call"] = "skill_call"
    seq: int
    at: datetime
    task: str
    call: str
    skill: str
    arguments: dict[str, Json]
    status: str
    """`ok`, `error` (it raised), `failed` (a person said so), `rejected` (by its user), `unknown`,
    `open`, or `proposed` (to its user)."""
    result: Json = None
    error: dict[str, Json] | None = None
    """`type`, `message`, and `traceback` for people."""
    attempts: int | None = None
    seconds: float | None = None
    key: str
    """Its idempotency key."""
    effect: str
    source: str | None = None
    """Who said what became of it, when that was not the call itself."""
    reason: str | None = None
    """Why, as that person said."""
    ended_at: datetime | None = None
    """When its result was written down."""
    job: str | None = None
    """The child job, when the skill is a recipe."""
    notes: tuple[dict[str, Json], ...] = ()
    """When its outcome was unknown and why, and when and by whom that was resolved."""
    artifacts: tuple[FileView, ...] = ()
    """What it has saved."""
    confirmation: dict[str, Json] | None = None
    """Of a call that its `user` must confirm: the `digest`, and the decision, once it is there:
    `verdict` (approved, rejected), `by`, `reason`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """A budget, and what the tasks that it counts for have made of it, all together."""

    task: str
    """Whose it is."""
    above: str | None
    """The next budget above, which counts as well."""
    limits: dict[str, Json]
    spent: dict[str, Json]
    """`tokens`, `dollars`, `model_calls`, `skill_calls`."""
    reserved: dict[str, Json]
    """For model calls under way."""
    estimated: dict[str, Json]
    """Of what is spent: nobody knows what calls that were cut off have used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task, as part of its job."""

    task_id: str
    genie: str
    status: str
    conversation_id: str
    instructions: str
    created_at: datetime
    ended_at: datetime | None
    skill_calls: tuple[SkillCard, ...]
    """The newest ones."""
    refused: tuple[Refusal, ...]
    """Of the newest, those that were asked for in vain."""
    withheld: dict[str, str]
    """The skills that it did not get, and why."""
    usage: dict[str, int]
    """So far: `requests`, `input_tokens`, `output_tokens`."""
    error: ErrorView | None
    answered_by: str | None
    """The person who answered in the genie's place."""
    budget: BudgetView | None = None
    """The nearest one that counts."""
    deadline: datetime | None = None
    """The earliest of its own and those above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDetails(TaskView):
    """All of a task but what was said in it, which is in its conversation."""

    job: str
    call: int
    """The number of the job's call that assigned it."""
    data: Json
    on_problem: str | None
    metadata: dict[str, Json]
    """Which skills get, and no model."""
    output_schema: Json
    files: tuple[FileView, ...]
    """What it was given."""
    answer: dict[str, Json] | None
    """Once it is answered: `output`, `response`, `actions`, `proof`, `artifacts`, `usage`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One call of a job: finished and recorded, or begun."""

    number: int
    kind: str
    name: str
    status: Literal["ok", "failed", "open", "unknown", "cancelled"]
    """`cancelled`: its job ended before it did."""
    started_at: datetime | None
    ended_at: datetime | None
    value: Json = None
    blob: str | None = None
    """The digest of a value that is too large to stand here."""
    error: ErrorView | None = None
    task: TaskView | None = None
    jobs: tuple[JobTree, ...] = ()
    """The jobs that it started, or the first of them."""
    jobs_total: int = 0
    jobs_ended: int = 0
    jobs_failed: int = 0
    kept_from: str | None = None
    """The job that made it, of a call that a copy of a job has kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTree(JobView):
    """A job with its calls, and the jobs below it with theirs."""

    calls: tuple[CallView, ...]
    after_end: tuple[JobView, ...] = ()
    """Jobs that `on_end` has started."""
    error: ErrorView | None = None
    """Why it failed or was cancelled."""
    usage: dict[str, int] = field(default_factory=dict[str, int])
    """Of the job that was asked for: what all tasks in it and below it have used so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorationView:
    """That the database was restored."""

    backup_at: datetime
    """What was done after it is not known here."""
    restored_at: datetime
    by: str
    closed_at: datetime | None
    """When a person said that it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that a recipe logged."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyView(JobView):
    """A copy of a job, as its original shows it."""

    answered: dict[str, str]
    """Its tasks that a person answered, and who."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails(JobTree):
    """All of a job."""

    input: Json
    trigger: Json
    output: Json
    """What it returned."""
    traceback: str | None
    log: tuple[LogLine, ...]
    forked_at: int | None
    """Of a fork: the call from which on it was done anew."""
    kept_code: str | None
    """The older code that alone executes it and all below it, see `lampwork dev`."""
    copies: tuple[CopyView, ...]
    """Its retries, reruns and forks."""
    restored: RestorationView | None = None
    """The restore after which its effects may have been done before."""
