"""Conversations as people and programs are shown them: the record, part by part."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lampwork.metadata.proof import Proof
from lampwork.types import Json
from lampwork.views.jobs import BudgetView, ErrorView, FileView, Part, Refusal, SkillCard


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """A conversation, as in a list."""

    conversation_id: str
    kind: str
    """`task`, or `chat` if it is a user's."""
    user: str | None
    status: str
    """That of the task that writes to it, or of its latest one."""
    genies: tuple[str, ...]
    tasks: int
    turns: int
    """Responses of the model."""
    skill_calls: int
    job: str | None
    """That of the same task."""
    project: str
    created_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Part):
    """A task, as the genie was told it."""

    kind: Literal["told"] = "told"
    genie: str
    user: str | None
    """Whose message it is, in a chat."""
    instructions: str
    data: Json
    on_problem: str | None
    skills: tuple[str, ...]
    withheld: dict[str, str]
    """Skills that the task can't use, and why."""
    files: tuple[FileView, ...] = ()
    history: dict[str, int] = field(default_factory=dict[str, int])
    """`recent`, the responses of the continued conversation that are shown, or `summary`, the words
    that it was to be summed up in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarised(Part):
    """What stands for the conversation before the task."""

    kind: Literal["summarised"] = "summarised"
    model: str
    text: str
    messages: int
    """So many of them are summed up."""
    usage: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Part):
    """What the model said in one response, beside its calls."""

    kind: Literal["said"] = "said"
    model: str
    text: str
    usage: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedAnswer(Part):
    """An answer that is not what the task asks for; what is wrong with it stands after it."""

    kind: Literal["refused_answer"] = "refused_answer"
    answer: Json
    """As the genie gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAgain(Part):
    """What was wrong with an answer."""

    kind: Literal["asked_again"] = "asked_again"
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered(Part):
    """A model call that brought no reply: why, or that nobody knows what it brought."""

    kind: Literal["unanswered", "cut_off"]
    why: str
    usage: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnd(Part):
    """How a task ended."""

    kind: Literal["answered", "not_completed", "failed"]
    output: Json = None
    response: str = ""
    reason: str = ""
    """Why it has no answer."""
    by: str | None = None
    """The person who answered in the genie's place."""
    note: str | None = None
    """What that person has added, for people."""
    missing: tuple[str, ...] = ()
    artifacts: tuple[FileView, ...] = ()
    """Of an orchestration: its report, and what its subtasks have saved."""


TranscriptPart = (
    Told
    | Summarised
    | Said
    | SkillCard
    | Refusal
    | RefusedAnswer
    | AskedAgain
    | Unanswered
    | TaskEnd
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewParts:
    """What has come to a transcript after one of its entries."""

    items: tuple[TranscriptPart, ...]
    """A part with the `seq` of an earlier entry is a skill call of which more is known by now: it
    stands for the one that has its `call`."""
    last: int
    """The number of the last entry that is in it: pass it as `after`."""
    more: bool
    """Whether there are more entries by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One metadata value of a task. Skills get it from the record; Lampwork shows it to no model.

    `carried_from` are the parts of requests that carried it all the same; see the task's proof.
    """

    task: str
    key: str
    value: Json
    sealed: bool
    """Whether it is, or a value inside it."""
    carried_from: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A task of a conversation."""

    task_id: str
    job: str
    genie: str
    status: str
    created_at: datetime
    ended_at: datetime | None
    usage: dict[str, int] | None
    output_schema: Json
    error: ErrorView | None
    answered_by: str | None
    proof: Proof
    proof_in_words: str
    budget: BudgetView | None = None
    """The nearest one that counts."""
    deadline: datetime | None = None
    """The earliest of its own and those above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationDetails(ConversationView):
    """All of a conversation."""

    copied_from: str | None
    """The conversation whose beginning it has, if a copy of a job goes on with it."""
    task_records: tuple[TaskRecord, ...]
    metadata: tuple[Fact, ...]
    transcript: tuple[TranscriptPart, ...] = field(default=())

    @property
    def artifacts(self) -> tuple[FileView, ...]:
        """What its tasks have saved, the last one of each name."""
        parts = [each for each in self.transcript if isinstance(each, SkillCard | TaskEnd)]
        return tuple({file.name: file for part in parts for file in part.artifacts}.values())
