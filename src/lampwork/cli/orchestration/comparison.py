"""Two plans of an orchestration, compared in text: each field as it was and as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from lampwork.cli import output
from lampwork.errors import InputInvalid
from lampwork.types import Json
from lampwork.views import FieldChange, OrchestrationView, SubtaskChange

__all__ = ["MARKS", "compared", "in_short", "lines_of_changes", "plan_of_round"]

MARKS = {"added": "+", "changed": "~", "dropped": "-"}

_ROOM = 40
"""Characters of a value that stands in a line with another one."""

Plan = Sequence[dict[str, Json]]


def plan_of_round(found: OrchestrationView, number: int | None) -> Plan:
    """The plan of a round, by its number; without one, of the last. Raises InputInvalid."""
    numbers = _numbers(found)
    if number is None:
        return found.rounds[-1].plan
    if number not in numbers:
        of = f"of orchestration {found.orchestration_id}"
        problem = f"Round {number} {of} was refused and has no plan"
        if number > len(found.rounds):
            problem = f"There is no round {number} {of}"
        raise InputInvalid(f"{problem}. Those with a plan are: {', '.join(map(str, numbers))}.")
    return found.rounds[number - 1].plan


def compared(
    found: OrchestrationView, first: int | None, last: int | None
) -> tuple[int, int, tuple[SubtaskChange, ...]]:
    """What has become of one plan in another, with their numbers. Raises InputInvalid.

    They are by default the first one and the last one.
    """
    from lampwork.insights.plans import changes  # the store comes with it

    numbers = _numbers(found)
    if not numbers:
        raise InputInvalid(f"Orchestration {found.orchestration_id} has no plan to compare.")
    first, last = first or numbers[0], last or numbers[-1]
    return first, last, changes(plan_of_round(found, first), plan_of_round(found, last))


def _numbers(found: OrchestrationView) -> list[int]:
    """Those of the rounds that have a plan; what was refused has none."""
    return [number for number, each in enumerate(found.rounds, 1) if each.plan]


def lines_of_changes(found: Sequence[SubtaskChange], before: Plan, after: Plan) -> Iterator[str]:
    """What was added, dropped and changed, with all of each field."""
    subtasks = {each["id"]: each for each in (*before, *after)}
    for each in found:
        subtask = subtasks[each.subtask]
        title, agent = output.cut(subtask["title"], 50), subtask["agent"]
        yield f"{MARKS[each.change]} {each.subtask}  {title}  by {agent}"
        for field in each.fields:
            yield f"    {field.field}"
            yield from _all_of(field.before, "-")
            yield from _all_of(field.after, "+")


def _all_of(value: Json, mark: str) -> Iterator[str]:
    if value is not None:
        text = value if isinstance(value, str) else output.pretty(value)
        yield from (f"      {mark} {line}" for line in text.splitlines())


def in_short(field: FieldChange) -> str:
    """What has become of a field, in a line: of long values the place where they differ."""
    before, after = _text(field.before), _text(field.after)
    pairs = enumerate(zip(before, after, strict=False))
    same = next((at for at, (was, now) in pairs if was != now), min(len(before), len(after)))
    begin = 0 if max(len(before), len(after)) <= _ROOM else max(0, same - _ROOM // 4)
    return " → ".join(_from(begin, each) for each in (before, after))


def _from(begin: int, text: str) -> str:
    return output.cut(f"…{text[begin:]}" if begin else text, _ROOM)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split())
