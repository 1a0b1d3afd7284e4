"""Scripted answers: what a genie does, turn by turn, in each of its tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lampwork.errors import InputInvalid, ScriptCallInvalid, ScriptEnded, one_of
from lampwork.genies.json_schema import Schema
from lampwork.models import Answer, Ask, Call, Calls, CannotComplete, Playbook, Reply, Turn
from lampwork.models.ask import Described

__all__ = ["script"]

_TURNS = (Call, Calls, Answer, CannotComplete)


def script(*turns: Call | Calls | Answer | CannotComplete) -> Playbook:
    """A model that takes these turns, one after the other, in each task that it is given.

    >>> cashier = script(Call("wire", cents=500), Answer("paid"))

    It looks at nothing; write a `@playbook` for what depends on data or on results, or for calls
    that are to be refused. A task that asks for more turns fails with ScriptEnded; one that does
    not offer a skill that is called, or not with these arguments, with ScriptCallInvalid. Raises
    InputInvalid.
    """
    given: tuple[Any, ...] = turns
    for each in given:
        if not isinstance(each, _TURNS):
            raise InputInvalid(
                f"{each!r} is no turn of a script. Give Call, Calls, Answer or CannotComplete."
            )

    def script(turn: Turn) -> Call | Calls | Answer | CannotComplete:
        if turn.number > len(turns):
            raise _ended(turn, turns)
        return turns[turn.number - 1]

    return _Script(script)


@dataclass(frozen=True, eq=False)
class _Script(Playbook):
    """A playbook that calls only what is offered."""

    async def respond(self, ask: Ask) -> Reply:
        """What the script says. Raises ScriptEnded, ScriptCallInvalid."""
        match self(ask.turn):
            case Call() as call:
                _check(call, ask)
            case Calls(calls=calls):
                for call in calls:
                    _check(call, ask)
            case _:
                pass
        return await super().respond(ask)


def _check(call: Call, ask: Ask) -> None:
    offered = {each.name: each for each in ask.skills}
    if call.skill in offered:
        problems = list(_misfits(call, offered[call.skill]))
    else:
        problems = [f'calls "{call.skill}", and the task is offered {_among(call, offered)}']
    if problems:
        raise ScriptCallInvalid(
            f"Turn {ask.turn.number} of the script {'; '.join(problems)}",
            turn=ask.turn.number,
            skill=call.skill,
            problems=problems,
        )


def _among(call: Call, offered: dict[str, Described]) -> str:
    if not offered:
        return "none. A skill is withheld from a task that lacks metadata that it needs."
    return f"{', '.join(offered)}. {one_of(call.skill, offered)}"


def _misfits(call: Call, skill: Described) -> Iterator[str]:
    """What is wrong with the arguments of a call."""
    schema: dict[str, Any] = skill.parameters
    known: dict[str, Any] = schema.get("properties", {})
    named = False
    for name in call.arguments.keys() - known.keys():
        named = True
        mend = one_of(name, known)
        yield f'gives {skill.name} an argument "{name}" that it does not take. {mend}'
    for name in schema.get("required", ()):
        if name not in call.arguments and not named:
            named = True
            yield f'gives {skill.name} no "{name}", which it needs.'
    if not named and (found := Schema(schema).problems(call.arguments)):
        yield f"gives {skill.name} arguments that do not fit: {'; '.join(found)}."


def _ended(turn: Turn, turns: tuple[Call | Calls | Answer | CannotComplete, ...]) -> ScriptEnded:
    last = f"the last one, {turns[-1]!r}, did not end it" if turns else "it has none"
    came = [f"{each.skill}: {each.error or each.value!r}" for each in turn.results[-3:]]
    hints = [f"asked again: {'; '.join(turn.feedback)}"] if turn.feedback else []
    hints += [f"the last results are {'; '.join(came)}"] if came else []
    why = f" ({'. '.join(hints)})" if hints else ""
    count = "1 turn" if len(turns) == 1 else f"{len(turns)} turns"
    return ScriptEnded(
        f"The script has {count}, and the task asks for turn {turn.number}: {last}"
        f"{why}. Add a turn, such as Answer(…).",
        turns=len(turns),
    )
