"""Scripted answers: what a genie does, turn by turn, in each of its tasks."""

from __future__ import annotations

from typing import Any

from lampwork.errors import InputInvalid, ScriptEnded
from lampwork.models import Answer, Call, Calls, CannotComplete, Playbook, Turn, playbook

__all__ = ["script"]

_TURNS = (Call, Calls, Answer, CannotComplete)


def script(*turns: Call | Calls | Answer | CannotComplete) -> Playbook:
    """A model that takes these turns, one after the other, in each task that it is given.

    >>> cashier = script(Call("wire", cents=500), Answer("paid"))

    It looks at nothing; write a `@playbook` for what depends on data or on results. A task that
    asks for more turns fails with ScriptEnded. Raises InputInvalid.
    """
    given: tuple[Any, ...] = turns
    for each in given:
        if not isinstance(each, _TURNS):
            raise InputInvalid(
                f"{each!r} is no turn of a script. Give Call, Calls, Answer or CannotComplete."
            )

    @playbook
    def script(turn: Turn) -> Call | Calls | Answer | CannotComplete:
        if turn.number > len(turns):
            raise _ended(turn, turns)
        return turns[turn.number - 1]

    return script


def _ended(turn: Turn, turns: tuple[Call | Calls | Answer | CannotComplete, ...]) -> ScriptEnded:
    last = f"the last one, {turns[-1]!r}, did not end it" if turns else "it has none"
    came = [f"{each.skill}: {each.error or each.value!r}" for each in turn.results[-3:]]
    hints = [f"asked again: {'; '.join(turn.feedback)}"] if turn.feedback else []
    hints += [f"the last results are {'; '.join(came)}"] if came else []
    why = f" ({'. '.join(hints)})" if hints else ""
    return ScriptEnded(
        f"The script has {len(turns)} turns, and the task asks for turn {turn.number}: {last}"
        f"{why}. Add a turn, such as Answer(…).",
        turns=len(turns),
    )
