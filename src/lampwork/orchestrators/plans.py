"""What the rounds of an orchestration add up to: the plan as it is, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lampwork import values
from lampwork.orchestrators.plan import Subtask
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.store.tasks.orchestrations import Round

__all__ = ["Standing", "chosen_in", "plan_of", "revised", "standing", "verb_of"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an orchestration stands after its rounds so far."""

    subtasks: tuple[Subtask, ...] = ()
    outcomes: Mapping[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])
    """By subtask, what the last round that had it says of it."""
    revisions: int = 0
    chosen: Mapping[str, int] = field(default_factory=dict[str, int])
    """By subtask, how often the orchestrator has given it to an agent of its choice."""

    def settles(self, subtask: Subtask) -> bool:
        """Whether a subtask stays as it is, unless the orchestrator chooses who does it: it has
        succeeded, a person has had it skipped, or nobody knows what its effects have come to."""
        outcome = self.outcomes.get(subtask.id, {})
        if outcome.get("status") == "succeeded":
            return True
        return ("skipped_by" in outcome or "effects" in outcome) and subtask in self.subtasks

    def settled(self, plan: Iterable[Subtask], chosen: Collection[str] = ()) -> set[str]:
        """The ids of those of a plan that stay as they are."""
        return {each.id for each in plan if self.settles(each) and each.id not in chosen}


def standing(rounds: Sequence[Round]) -> Standing:
    """What these rounds add up to. One that was refused has changed nothing."""
    subtasks: tuple[Subtask, ...] = ()
    outcomes: dict[str, dict[str, Json]] = {}
    revisions, chosen = 0, dict[str, int]()
    for each in rounds:
        outcome = None if each.outcome is None else values.read(each.outcome)
        if not isinstance(outcome, values.Value):
            continue
        subtasks = plan_of(each, subtasks)
        outcomes |= {one["subtask"]: one for one in json.loads(outcome.text)["subtasks"]}
        revisions += verb_of(each.callable) == "revise"
        for subtask in chosen_in(each):
            chosen[subtask] = chosen.get(subtask, 0) + 1
    return Standing(subtasks, outcomes, revisions, chosen)


def plan_of(round: Round, before: Sequence[Subtask]) -> tuple[Subtask, ...]:
    """The plan that a round carries out, by the plan before it, as people have edited it."""
    if round.proposal is not None:
        return tuple(Subtask.model_validate(each) for each in round.proposal["subtasks"])
    asked = [Subtask.model_validate(each) for each in round.input.get("subtasks", ())]
    match verb_of(round.callable):
        case "plan":
            return tuple(asked)
        case "revise":
            return tuple(revised(before, asked, round.input.get("drop") or ()))
        case _:
            return tuple(before)


def chosen_in(round: Round) -> frozenset[str]:
    """The subtask of which a round is the orchestrator's choice who does it, if it is one."""
    return frozenset({round.input["subtask"]} if verb_of(round.callable) == "delegate" else ())


def verb_of(callable: str) -> str:
    """`plan`, `revise` or `delegate`, by the recipe of a round."""
    return callable.rpartition(":")[2]


def revised(
    plan: Sequence[Subtask], changed: Sequence[Subtask], drop: Sequence[str]
) -> list[Subtask]:
    """A plan with new and changed subtasks, and without those that are dropped."""
    new = {each.id: each for each in changed}
    kept = [new.pop(each.id, each) for each in plan if each.id not in drop]
    return [*kept, *new.values()]
