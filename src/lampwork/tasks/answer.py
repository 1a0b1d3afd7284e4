"""What comes of a task that was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lampwork.files.artifact import Artifact
from lampwork.genies.output import Output
from lampwork.metadata import sealed_again
from lampwork.metadata.proof import Evidence, Proof
from lampwork.store.tasks.claims import Claim
from lampwork.tasks.action import Action, DelegatedTask, actions_record
from lampwork.tasks.transcript import Transcript
from lampwork.types import Json

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["Action", "DelegatedTask", "Section", "TaskAnswer", "answer_record"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Section:
    """What one subtask of an orchestration has come to, and by whom."""

    subtask: str
    title: str
    agent: str
    task_id: str
    conversation_id: str
    output: Json
    response: str
    artifacts: tuple[Artifact, ...] = ()
    answered_by: str | None = None
    """The person who answered in the agent's place, if one did."""

    def to_json(self) -> dict[str, Json]:
        """As JSON."""
        record: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return record | {"artifacts": [each.to_json() for each in self.artifacts]}

    @classmethod
    def from_json(cls, record: dict[str, Json]) -> Section:
        """What `to_json` wrote."""
        artifacts = tuple(Artifact(**each) for each in record["artifacts"])
        given: dict[str, Any] = record | {"artifacts": artifacts}
        return cls(**given)


@dataclass(frozen=True, slots=True)
class TaskAnswer(Generic[T_co]):
    """What came of a task that was answered."""

    output: T_co
    """The answer, typed; the text where no type was asked for."""
    response: str
    """What the genie said with it, in words; the answer as JSON if it said nothing."""
    status: str
    """`answered`; `partial` of an orchestration that lacks required subtasks."""
    task_id: str
    conversation_id: str
    metadata: dict[str, Any]
    """As given, in JSON; what was `Sealed` still is."""
    usage: dict[str, int]
    """What the model was asked for: see `Reply.usage`, which it adds up; `estimated_requests`,
    `estimated_tokens` and `estimated_nanodollars` say what of it nobody has measured."""
    actions: tuple[Action, ...]
    """Each skill call with its outcome, and the tasks that stood below it."""
    proof: Proof
    """What its requests carried of the metadata, and which skills read it."""
    artifacts: tuple[Artifact, ...] = ()
    """Files that its skills have saved; `app.read_artifact(…)` gives their bytes."""
    answered_by: str | None = None
    """The person who answered in the genie's place, if one did."""
    sections: tuple[Section, ...] = ()
    """Of an orchestration: what its subtasks have come to."""
    missing: tuple[dict[str, Any], ...] = ()
    """Of a partial one: `subtask`, `title` and `reasons` of what is required and has failed."""

    @classmethod
    def from_json(cls, record: dict[str, Json], output: Output | None) -> TaskAnswer[Any]:
        """The answer that its record holds."""
        value = record["output"]
        lacks_it = value is None and record["status"] == "partial"
        typed: Any = value if output is None or lacks_it else output.decode(value)
        return cls(
            output=typed,
            response=record["response"],
            status=record["status"],
            task_id=record["task_id"],
            conversation_id=record["conversation_id"],
            metadata=sealed_again(record["metadata"], set(map(tuple, record.get("sealed", ())))),
            usage=record["usage"],
            actions=tuple(map(Action.from_json, record["actions"])),
            proof=_proof(record),
            artifacts=tuple(Artifact(**each) for each in record["artifacts"]),
            answered_by=record.get("answered_by"),
            sections=tuple(map(Section.from_json, record.get("sections", ()))),
            missing=tuple(record.get("missing", ())),
        )


def _proof(record: dict[str, Json]) -> Proof:
    if "proof" in record:
        return Proof.from_json(record["proof"])
    # An answer of the time before there were scans.
    return Evidence.of(record["usage"].get("requests", 0)).proof(record["metadata"], ())


_OF_SUBTASKS = ("sections", "missing")


def answer_record(
    so_far: Transcript, row: Claim | sa.Row[Any], below: Sequence[dict[str, Json]] = ()
) -> dict[str, Json]:
    """The record of a task that was answered, from its entries, its row and the tasks below it."""
    assert so_far.answer is not None
    own = [
        artifact.to_json() for call in so_far.actions for artifact in so_far.artifacts.get(call, ())
    ]
    of_subtasks = {name: so_far.answer[name] for name in _OF_SUBTASKS if name in so_far.answer}
    return {
        "output": so_far.answer["output"],
        "response": so_far.answer["response"],
        "status": so_far.answer.get("status", "answered"),
        "task_id": so_far.task_id,
        "conversation_id": row.conversation_id,
        "metadata": row.metadata,
        "sealed": row.sealed,
        "usage": so_far.usage,
        "actions": actions_record(so_far.actions.values(), below),
        "artifacts": own + so_far.answer.get("artifacts", []),
        "answered_by": so_far.answer.get("by"),
        "proof": so_far.evidence.proof(row.metadata, row.sealed).to_json(),
        **of_subtasks,
    }
