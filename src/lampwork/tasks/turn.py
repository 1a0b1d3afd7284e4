"""The turn loop: ask the model, judge its reply, act on it, until the genie has answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from lampwork import failpoint
from lampwork.errors import (
    LampworkError,
    OutputInvalid,
    SkillFailed,
    SkillFailing,
    TaskNotCompleted,
    TurnLimitReached,
)
from lampwork.genies.genie import Genie
from lampwork.genies.output import Output
from lampwork.genies.skill import Skill
from lampwork.metadata.scan import Scanner
from lampwork.metadata.seal import Seal
from lampwork.models.ask import Ask, Described, LanguageModel, Reply, Requested, Turn
from lampwork.runs.deadline import Deadline
from lampwork.store.budgets import LimitMet
from lampwork.store.conversations import Entry
from lampwork.tasks.conversation import Hold
from lampwork.tasks.model_call import ask_model, count_cut_off
from lampwork.tasks.skill_call import SkillCalls
from lampwork.tasks.summarise import summarise
from lampwork.types import Json, child_id

if TYPE_CHECKING:
    from lampwork.tasks.assignment import Assignment

__all__ = ["FAILPOINTS", "Ending", "TaskInHand", "failed", "take_turns"]

FAILPOINTS = (
    "task.opened",
    "task.claimed",
    "model.before",
    "model.after",
    "said.appended",
    "skill.before_effect",
    "skill.after_effect",
    "result.appended",
    "answer.appended",
)
"""Every boundary in the life of a task at which a test can end the process."""

RE_ASKED_AT_MOST = 2
"""How often a genie is asked again for a reply that can't be its answer."""


@dataclass(frozen=True, slots=True)
class TaskInHand:
    """A claimed task with everything that its turns need."""

    assignment: Assignment
    call: int
    hold: Hold
    model: LanguageModel
    metadata: dict[str, Json]
    skills: dict[str, Skill[..., Any]]
    """Those that this task may use."""
    scanner: Scanner
    seal: Seal
    deadline: Deadline

    @property
    def genie(self) -> Genie:
        """Who works."""
        return self.assignment.genie

    @property
    def output(self) -> Output | None:
        """The type of the answer; None is plain text."""
        return self.assignment.output


@dataclass(frozen=True, slots=True)
class Ending:
    """The last entries of a task, and the error that it ends with if it has no answer."""

    entries: Sequence[Entry]
    error: LampworkError | None = None


async def take_turns(task: TaskInHand) -> Ending:
    """Work until the genie has answered or can't. What was done before a crash is not done again.

    Raises MetadataLeaked, ModelUnavailable, SkillFailing, SkillFailed, TurnLimitReached,
    LimitMet, BudgetNotEnforceable, OutOfTime.
    """
    run, given = task.hold.run, (task.skills, task.metadata, task.seal, task.deadline)
    calls = SkillCalls(run, task.hold, task.call, *given)
    if not task.hold.claim.is_new:
        await count_cut_off(task, _ask(task))
    if (words := task.hold.transcript.summarise_in) is not None:
        await summarise(task, _ask(task), words)
    while True:
        await calls.perform_all()
        task.deadline.check()
        _stop_if_hopeless(task)
        run.check()
        ask = _ask(task)
        scan = await task.scanner.scan(ask)
        answered = await ask_model(task, ask, scan)
        judged = judge(task, answered.reply, scan)
        task.scanner.under_way = None
        if answered.cut_by is not None:
            await task.hold.append(*_in_vain(judged.entries, "Not taken: the reply was cut off."))
            raise answered.cut_by
        if judged.ending is not None:
            return judged.ending
        try:
            await task.hold.append(*judged.entries, after=task.hold.transcript.last_seq)
        except LimitMet:
            await task.hold.append(*_in_vain(judged.entries, "Not run: the budget is too small."))
            raise
        failpoint.hit("said.appended")


def failed(error: LampworkError) -> Entry:
    """The last entry of a task that ends with this error."""
    return ("failed", {"error": error.to_record()})


def _stop_if_hopeless(task: TaskInHand) -> None:
    so_far = task.hold.transcript
    if so_far.failed_by is not None:
        skill, reason = so_far.failed_by
        raise SkillFailed(
            f'Skill "{skill}" was resolved as failed: {reason}.', skill=skill, reason=reason
        )
    for skill, errors in so_far.failures.items():
        limit = task.skills[skill].give_up_after if skill in task.skills else None
        if limit is not None and len(errors) >= limit:
            raise SkillFailing(
                f'Skill "{skill}" failed {len(errors)} times in a row, at last with: {errors[-1]}. '
                "Mend the skill or what it depends on, then assign the task again.",
                skill=skill,
                errors=errors,
            )
    if so_far.turns >= task.genie.max_turns:
        raise TurnLimitReached(
            f"The genie took {so_far.turns} turns and has not answered. "
            "Give it a narrower task, a job description that says when to stop, or more max_turns.",
            turns=so_far.turns,
        )


# --- 1: the request ---

_CANNOT_COMPLETE = Described(
    "cannot_complete",
    "End the task without an answer, when it can't be completed honestly. Never invent an answer.",
    {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "description": "Why it can't be completed."},
            "missing": {
                "type": "array",
                "items": {"type": "string"},
                "description": "What would have been needed.",
            },
        },
        "required": ["reason", "missing"],
        "additionalProperties": False,
    },
)


def _ask(task: TaskInHand) -> Ask:
    so_far, output = task.hold.transcript, task.output
    endings = (_CANNOT_COMPLETE,)
    if output is not None:
        answer = Described("answer", "Give your answer and end the task.", output.parameters)
        endings = (answer, _CANNOT_COMPLETE)
    return Ask(
        task_id=task.hold.task_id,
        number=so_far.last_seq + 1,
        job_description=task.genie.job_description,
        messages=so_far.messages,
        skills=tuple(skill.described for skill in task.skills.values()),
        endings=endings,
        text_ends=output is None,
        wrapped=output is not None and output.wrapped,
        turn=Turn(
            instructions=task.assignment.instructions,
            data=task.assignment.data,
            files=so_far.files,
            skills=tuple(task.skills),
            results=tuple(so_far.results),
            number=so_far.turns + 1,
            feedback=so_far.feedback,
            on_problem=task.assignment.on_problem,
            history=so_far.history,
        ),
        on_text=task.hold.run.worker.texts.tell,
    )


# --- 2: the judgement: nothing is done here, only decided ---


@dataclass(slots=True)
class Judged:
    """What a reply leads to: entries to append before anything acts, or the task's end."""

    entries: list[Entry] = field(default_factory=list[Entry])
    ending: Ending | None = None


def judge(task: TaskInHand, reply: Reply, scan: dict[str, Json] | None) -> Judged:
    """Judge each call of a reply, then the reply as an answer. `scan` is of what it replies to."""
    number = task.hold.transcript.last_seq + 1
    calls: list[dict[str, Json]] = []
    judged = Judged([("said", _said(reply, calls, scan))])
    ends = [call for call in reply.calls if _is_ending(task, call)]
    acts = len(ends) < len(reply.calls)
    for position, call in enumerate(reply.calls):
        if call not in ends:
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
    said: dict[str, Json] = {
        "model": reply.model,
        "response": reply.raw,
        "usage": reply.usage,
        "calls": calls,
    }
    return said if scan is None else said | {"scan": scan}


_POSTPONED = (
    "Not taken: this reply asked for other calls as well. "
    "Wait for their results, then end the task."
)


def _in_vain(entries: Sequence[Entry], why: str) -> list[Entry]:
    """What a reply said, when none of its calls can be taken for lack of budget."""
    said = entries[0][1]
    asked = {body["call"]: body["arguments"] for kind, body in entries if kind == "intent"}
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
        reply = "The skill was not run, because its arguments are not valid: " + _listed(problems)
        return _reply_to(call, "invalid", reply) | {"arguments": arguments}
    intent: dict[str, Json] = {
        "call": label,
        "skill": skill.name,
        "arguments": arguments,
        "key": f"{task.hold.task_id}.{label}",
        "effect": skill.effect,
    }
    if handed := [name for name in skill.metadata if name in task.metadata]:
        intent["metadata"] = handed
    if skill.recipe is not None:
        intent["child"] = f"{child_id(task.hold.run.job_id, task.call)}.{label}"
    entries.append(("intent", intent))
    return {"id": call.id, "name": call.name, "verdict": "accepted"}


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
    if problems:
        _ask_again(task, value, problems, judged, text=None)
        return _reply_to(call, "answer_invalid", _not_valid(problems))
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
    if reply.truncated:
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
    lacking = f" Missing: {', '.join(missing)}." if missing else ""
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
    again: Entry = ("asked_again", {"problems": problems, "text": text})
    if text is not None:
        again[1]["text"] = _not_valid(problems)
    judged.entries.append(again)
    if task.hold.transcript.asked_again < RE_ASKED_AT_MOST:
        return
    error = OutputInvalid(
        f'Genie "{task.genie.name}" gave no valid answer in {RE_ASKED_AT_MOST + 1} attempts: '
        + _listed(problems),
        attempt=attempt,
        problems=problems,
    )
    judged.ending = Ending(judged.entries, error=error)


def _not_valid(problems: list[str]) -> str:
    return f"That is no valid answer yet: {_listed(problems)} Answer again."


def _listed(problems: list[str]) -> str:
    return "; ".join(problems) + "."
