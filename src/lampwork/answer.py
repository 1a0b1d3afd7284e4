"""What comes of a task that was answered."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Generic, TypeVar

from lampwork.conversation import Action, Transcript
from lampwork.output import Output
from lampwork.store.tasks import Claim
from lampwork.types import Json

__all__ = ["Action", "TaskAnswer", "answer_record"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class TaskAnswer(Generic[T_co]):
    """What came of a task that was answered."""

    output: T_co
    """The answer, typed; the text where no type was asked for."""
    response: str
    status: str
    task_id: str
    conversation_id: str
    metadata: dict[str, Json]
    """As recorded with the task."""
    usage: dict[str, int]
    """What the model was asked for: see `Reply.usage`, which it adds up."""
    actions: tuple[Action, ...]
    """Each skill call with its outcome."""
    artifacts: tuple[Json, ...] = ()

    @classmethod
    def from_json(cls, record: dict[str, Json], output: Output | None) -> TaskAnswer[Any]:
        """The answer that its record holds."""
        value = record["output"]
        return cls(
            output=value if output is None else output.decode(value),
            response=record["response"],
            status=record["status"],
            task_id=record["task_id"],
            conversation_id=record["conversation_id"],
            metadata=record["metadata"],
            usage=record["usage"],
            actions=tuple(Action(**action) for action in record["actions"]),
            artifacts=tuple(record["artifacts"]),
        )

    def to_json(self) -> dict[str, Json]:
        """The record of an answer whose output is JSON."""
        actions = [asdict(action) for action in self.actions]
        return {
            **{each.name: getattr(self, each.name) for each in fields(self)},
            "actions": actions,
            "artifacts": list(self.artifacts),
        }


def answer_record(so_far: Transcript, claim: Claim) -> dict[str, Json]:
    """The record of a task that was answered, from its entries and its row."""
    assert so_far.answer is not None
    return {
        "output": so_far.answer["output"],
        "response": so_far.answer["response"],
        "status": "answered",
        "task_id": so_far.task_id,
        "conversation_id": claim.conversation_id,
        "metadata": claim.metadata,
        "usage": so_far.usage,
        "actions": [
            {
                "call": action.call,
                "skill": action.skill,
                "arguments": action.arguments,
                "status": action.status,
                "error": action.error,
            }
            for action in so_far.actions.values()
        ],
        "artifacts": [],
    }
