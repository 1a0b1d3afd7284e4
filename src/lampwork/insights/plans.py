"""Plans as they are compared, and what people have said of them before anything ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lampwork.types import ENDED, Json
from lampwork.views import (
    FieldChange,
    PlanApproval,
    PlanEdit,
    SubtaskChange,
    moment,
    moment_or_none,
)

if TYPE_CHECKING:
    from lampwork.store.tasks.orchestrations import Round

__all__ = ["approval_of", "changes"]

Recorded = Mapping[str, Json]
"""A subtask as it is recorded."""


def changes(before: Sequence[Recorded], after: Sequence[Recorded]) -> tuple[SubtaskChange, ...]:
    """What has become of each subtask from one plan to the next, but for those as they were."""
    return tuple(_changes(before, after))


def _changes(before: Sequence[Recorded], after: Sequence[Recorded]) -> Iterator[SubtaskChange]:
    was = {each["id"]: each for each in before}
    now = {each["id"]: each for each in after}
    for id, each in now.items():
        if id not in was:
            yield SubtaskChange(subtask=id, change="added", fields=())
        elif fields := tuple(_fields(was[id], each)):
            yield SubtaskChange(subtask=id, change="changed", fields=fields)
    for id in (each for each in was if each not in now):
        yield SubtaskChange(subtask=id, change="dropped", fields=())


def _fields(before: Recorded, after: Recorded) -> Iterator[FieldChange]:
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name), after.get(name)
        if was != now:
            yield FieldChange(field=name, before=was, after=now)


def approval_of(round: Round) -> PlanApproval | None:
    """What people have said of the plan of a round; None if nobody was asked."""
    proposal, decision = round.proposal, round.decision or {}
    if proposal is None:
        return None
    is_over = round.cancelling or round.status in ENDED
    edits: list[dict[str, Json]] = proposal.get("edits", [])
    plans = [*(each["subtasks"] for each in edits), proposal["subtasks"]]
    return PlanApproval(
        status=decision.get("verdict", "withdrawn" if is_over else "waiting"),
        digest=proposal["digest"],
        why=proposal["why"],
        by=decision.get("by"),
        at=moment_or_none(decision.get("at")),
        reason=decision.get("reason", ""),
        edits=tuple(
            PlanEdit(
                by=each["by"],
                at=moment(each["at"]),
                reason=each["reason"],
                changes=changes(plans[nth], plans[nth + 1]),
            )
            for nth, each in enumerate(edits)
        ),
    )
