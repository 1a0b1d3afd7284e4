"""What a reply of the model leads to. Nothing is done here, only decided."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from lampwork.errors import (
    OutputInvalid,
    TaskNotCompleted,
    joined,
)
from lampwork.genies.output import Output
from lampwork.genies.skill import Skill
from lampwork.models.ask import Reply, Requested
from lampwork.store.tasks import conversations
from lampwork.store.tasks.conversations import Entry
from lampwork.tasks.confirmation import propose
from lampwork.tasks.task import Ending, TaskInHand, failed
from lampwork.types import Json, child_id

__all__ = ["Judged", "in_vain", "judge"]

RE_ASKED_AT_MOST = 2
"""How often a genie is asked again for a reply that can't be its answer."""


@dataclass(slots=True)
class Judged:
    """What a reply leads to: entries to append before anything acts, or the task's end."""

    entries: list[Entry] = field(default_factory=list[Entry])
    ending: Ending | None = None

    @property
    def proposes(self) -> bool:
        """Whether the user must confirm one of its calls."""
        return any(kind == "proposal" for kind, _ in self.entries)


def judge(task: TaskInHand, reply: Reply, scan: dict[str, Json] | None) -> Judged:
    """Judge each call of a reply, then the reply as an answer. `scan` is of what it replies to."""
    number = task.hold.transcript.last_seq + 1
    calls: list[dict[str, Json]] = []
    said = _said(reply, calls, scan)
    if task.briefing.digest != task.hold.transcript.briefing:
        said["briefing"] = task.briefing.digest
    judged = Judged([("said", said)])
    ends = [call for call in reply.calls if _is_ending(task, call)]
    acts, first = len(ends) < len(reply.calls), _first_of_one(task, reply)
    for position, call in enumerate(reply.calls):
        if call.name in task.genie.one_at_a_time and call is not first:
            calls.append(_reply_to(call, "postponed", _ONE_AT_A_TIME))
        elif call not in ends:
            calls.append(_judge_skill_call(task, call, f"{number}.{position}", judged.entries))
        elif acts:
            calls.append(_reply_to(call, "postponed", _POSTPONED))
        elif call is ends[0]:
            calls.append(_judge_ending(task, call, reply, judged))
        else:
            calls.append(_reply_to(call, "ignored", "Not taken: the task ends once."))
    if not reply.calls:
        _judge_text(task, reply, judged)
    return judged


def _said(
    reply: Reply, calls: list[dict[str, Json]], scan: dict[str, Json] | None
) -> dict[str, Json]:
    said: dict[str, Json] = {"response": reply.raw, "usage": reply.usage, "calls": calls}
    if conversations.model_of(said) != reply.model:
        said["model"] = reply.model
    return said if scan is None else said | {"scan": scan}


_POSTPONED = (
    "Not taken: this reply asked for other calls as well. "
    "Wait for their results, then end the task."
)


_ONE_AT_A_TIME = "Not taken: one after the other. Wait for what comes of your first call."


def _first_of_one(task: TaskInHand, reply: Reply) -> Requested | None:
    """The first call of those skills that are called one at a time."""
    alone = task.genie.one_at_a_time
    return next((each for each in reply.calls if each.name in alone), None) if alone else None


def in_vain(entries: Sequence[Entry], why: str) -> list[Entry]:
    """What a reply said, when none of its calls can be taken for lack of budget."""
    said = entries[0][1]
    begun = ("intent", "proposal")
    asked = {body["call"]: body["arguments"] for kind, body in entries if kind in begun}
    arguments = {label.rpartition(".")[2]: given for label, given in asked.items()}
    calls: list[dict[str, Json]] = []
    for position, call in enumerate(said["calls"]):
        if call["verdict"] in ("accepted", "answer", "cannot_complete"):
            call = {"id": call["id"], "name": call["name"], "verdict": "over_budget", "reply": why}
            if str(position) in arguments:
                call["arguments"] = arguments[str(position)]
        calls.append(call)
    return [("said", said | {"calls": calls})]


def _is_ending(task: TaskInHand, call: Requested) -> bool:
    if task.assignment.user is not None:
        return False
    return call.name == "cannot_complete" or (call.name == "answer" and task.output is not None)


def _reply_to(call: Requested, verdict: str, reply: str) -> dict[str, Json]:
    return {"id": call.id, "name": call.name, "verdict": verdict, "reply": reply}


def _judge_skill_call(
    task: TaskInHand, call: Requested, label: str, entries: list[Entry]
) -> dict[str, Json]:
    """The verdict on a call; its intent, if it may act, joins the entries."""
    skill = task.skills.get(call.name)
    if skill is None:
        names = ", ".join(task.skills) or "none"
        reply = f'There is no skill "{call.name}". There are: {names}.'
        return _reply_to(call, "unknown_skill", reply) | {"arguments": {}}
    arguments, problems = skill.contract.read(call.arguments)
    # A name that is metadata to any of the genie's skills is never the model's to give.
    spoofed = (arguments.keys() & task.genie.metadata.keys()) - skill.contract.names
    if spoofed:
        names = ", ".join(sorted(spoofed))
        reply = f"Refused: {skill.name} takes no argument {names} from you. It was not run."
        verdict: dict[str, Json] = _reply_to(call, "refused", reply)
        return verdict | {"arguments": arguments, "argument_refused": sorted(spoofed)}
    if not problems:
        problems = _misfits(task, skill, arguments)
    if problems:
        reply = "The skill was not run, because its arguments are not valid: " + joined(problems)
        return _reply_to(call, "invalid", reply) | {"arguments": arguments}
    intent: dict[str, Json] = {
        "call": label,
        "skill": skill.name,
        "arguments": arguments,
        "effect": skill.effect,
    }
    key = task.hold.run.effect_key(task.call, label)
    if key != conversations.key_of(task.hold.task_id, intent):
        intent["key"] = key
    if handed := skill.handed(task.metadata):
        intent["metadata"] = handed
    if skill.recipe is not None:
        intent["child"] = f"{child_id(task.hold.run.job_id, task.call)}.{label}"
    entries.append(_gated(task, skill, intent) if skill.confirm else ("intent", intent))
    return {"id": call.id, "name": call.name, "verdict": "accepted"}


def _gated(task: TaskInHand, skill: Skill[..., Any], intent: dict[str, Json]) -> Entry:
    user, expires = task.assignment.user, task.deadline.at
    return propose(intent, skill, task_id=task.hold.task_id, user=user, expires=expires)


def _misfits(task: TaskInHand, skill: Skill[..., Any], arguments: dict[str, Json]) -> list[str]:
    """What is wrong with the arguments in each of their readings."""
    problems: list[str] = []
    for reading in task.seal.readings(arguments):
        _, misfits = skill.contract.fit(reading)
        if not misfits:
            return []
        problems = problems or misfits
    return task.seal.hide(problems)


def _judge_ending(
    task: TaskInHand, call: Requested, reply: Reply, judged: Judged
) -> dict[str, Json]:
    if call.name == "cannot_complete":
        reason, missing = _declined(call)
        _end_declined(task, reason, missing, judged)
        return _reply_to(call, "cannot_complete", "Noted.")
    value, problems = _read_answer(task, cast(Output, task.output), call.arguments)
    if (not_yet := task.genie.not_yet(task.hold.transcript)) is not None:
        problems = [not_yet]
    elif not problems:
        problems = list(task.genie.misfits(task.hold.transcript, task.output, value))
    if problems:
        _ask_again(task, value, problems, judged, text=None)
        reply_to_it = _reply_to(call, "answer_invalid", _not_valid(problems))
        return reply_to_it | {"attempt": value}
    response = task.seal.reveal(reply.text) or json.dumps(value, ensure_ascii=False)
    _end_answered(value, response, judged)
    return _reply_to(call, "answer", "Received.")


def _read_answer(task: TaskInHand, output: Output, given: Json) -> tuple[Json, list[str]]:
    """An answer as it is recorded, or as it was given with what is wrong with it."""
    attempts: list[tuple[Json, list[str]]] = []
    for reading in task.seal.readings(given):
        value, problems = output.read(reading)
        if not problems:
            return value, []
        attempts.append((value, problems))
    value, problems = attempts[0]
    return task.seal.hide(value), task.seal.hide(problems)


def _judge_text(task: TaskInHand, reply: Reply, judged: Judged) -> None:
    if task.assignment.user is None and (why := task.genie.not_yet(task.hold.transcript)):
        _ask_again(task, reply.text, [why], judged)
    elif reply.truncated:
        problem = "the reply was cut off, because it was longer than the model may answer"
        _ask_again(task, reply.text, [problem], judged)
    elif task.output is None and reply.text.strip():
        text = task.seal.reveal(reply.text)
        _end_answered(text, text, judged)
    elif task.output is None:
        _ask_again(task, reply.text, ["the reply was empty"], judged)
    else:
        problem = "the reply was text; give your answer by calling `answer`"
        _ask_again(task, reply.text, [problem], judged)


def _end_answered(value: Json, response: str, judged: Judged) -> None:
    entry: Entry = ("answered", {"output": value, "response": response})
    judged.ending = Ending([*judged.entries, entry])


def _end_declined(task: TaskInHand, reason: str, missing: list[str], judged: Judged) -> None:
    entry: Entry = ("not_completed", {"reason": reason, "missing": missing})
    ended = reason.rstrip().endswith((".", "!", "?"))
    lacking = f"{'' if ended else '.'} Missing: {', '.join(missing)}." if missing else ""
    error = TaskNotCompleted(
        f'Genie "{task.genie.name}" could not complete the task: {reason}{lacking}',
        reason=reason,
        missing=missing,
    )
    judged.ending = Ending([*judged.entries, entry], error=error)


def _declined(call: Requested) -> tuple[str, list[str]]:
    """Why a genie declines. Taken as it comes: nobody gains from arguing about its form."""
    given: Any = call.arguments
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = {"reason": given}
    fields: dict[str, Any] = cast(dict[str, Any], given) if isinstance(given, dict) else {}
    missing: Any = fields.get("missing") or []
    listed = cast(list[Any], missing) if isinstance(missing, list) else [missing]
    return str(fields.get("reason") or "it gave no reason"), [str(each) for each in listed]


def _ask_again(
    task: TaskInHand,
    attempt: Json,
    problems: list[str],
    judged: Judged,
    text: str | None = "",
) -> None:
    """Say what is wrong and ask once more; after enough of that, the task has failed.

    `text` is None when the reply goes back as the result of its `answer` call.
    """
    if task.hold.transcript.asked_again < RE_ASKED_AT_MOST:
        told = None if text is None else _not_valid(problems)
        judged.entries.append(("asked_again", {"problems": problems, "text": told}))
        return
    error = OutputInvalid(
        f'Genie "{task.genie.name}" gave no valid answer in {RE_ASKED_AT_MOST + 1} attempts: '
        + joined(problems),
        attempt=attempt,
        problems=problems,
    )
    judged.ending = Ending([*judged.entries, failed(error)], error=error)


def _not_valid(problems: list[str]) -> str:
    return f"That is no valid answer yet: {joined(problems)} Answer again."
