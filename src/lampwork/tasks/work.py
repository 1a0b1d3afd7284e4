"""The life of a task: opened, worked on turn by turn, and ended with its answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lampwork import clock, failpoint, metadata, values
from lampwork.errors import (
    BudgetExceeded,
    GenieNotEligible,
    LampworkError,
    StoreError,
    TaskDeadlineExceeded,
)
from lampwork.files.snapshot import load
from lampwork.metadata.needles import Matcher, needles
from lampwork.metadata.scan import Scanner
from lampwork.metadata.seal import Seal
from lampwork.models.ask import LanguageModel
from lampwork.runs.cancellation import unknown_in_words
from lampwork.runs.deadline import Deadline, OutOfTime, late
from lampwork.store.jobs import calls
from lampwork.store.jobs.calls import Beginning
from lampwork.store.spending.budgets import LimitMet, exceeded
from lampwork.store.tasks import claims, conversations, openings, tasks
from lampwork.tasks.action import actions_record
from lampwork.tasks.answer import answer_record
from lampwork.tasks.assignment import Assignment
from lampwork.tasks.briefing import Briefing, briefing
from lampwork.tasks.conversation import Hold, StaleEpoch
from lampwork.tasks.delegation import tasks_below
from lampwork.tasks.opening import new_task, open_or_claim
from lampwork.tasks.place import Place
from lampwork.tasks.task import Ending, TaskInHand, failed
from lampwork.tasks.transcript import Transcript
from lampwork.tasks.turn import take_turns
from lampwork.types import Json, task_id

if TYPE_CHECKING:
    from lampwork.runs.run import Run

__all__ = ["work"]

_log = logging.getLogger("lampwork.task")


async def work(run: Run, assignment: Assignment, call: Beginning) -> values.Recorded:
    """Do the task that a call of a job assigns, or go on with it after a crash.

    Returns what is recorded of that call: the answer (see TaskAnswer.from_json), or a TaskError or
    ModelError that the task ended with. Raises ConversationNotFound, ConversationBusy,
    TaskDeadlineExceeded, BudgetExceeded, BudgetNotEnforceable, if it could not be opened.
    """
    while True:
        try:
            return await _work_under_one_claim(run, assignment, call)
        except StaleEpoch:
            # The conversation is not what this run has read: prove, claim, read again.
            await run.prove()
        finally:
            run.worker.calls_under_way.end(task_id(run.job_id, call.number))
            run.places.pop(task_id(run.job_id, call.number), None)


async def _work_under_one_claim(
    run: Run, assignment: Assignment, call: Beginning
) -> values.Recorded:
    genie, chat = assignment.genie, assignment.user is not None
    model = genie.playing(run.cast.model_of(genie), chat=chat)
    told = briefing(assignment)
    new = await new_task(run, assignment, call, model, told)
    claim = await open_or_claim(run, new)
    if not claim.is_new and isinstance(new.refused, GenieNotEligible) and claim.outcome is None:
        raise run.differ(f"task {new.id} can't go on: {new.refused.message}", at=new.call)
    if claim.outcome is not None:
        return values.Recorded(await run.store.read(calls.envelope, run.job_id, new.call))
    if not claim.holds:
        return await _give_up(run, new, claim)
    transcript = await _read(run, new, claim)
    task = await _take_in_hand(run, assignment, model, new, claim, transcript, told)
    try:
        ending = await take_turns(task)
    except (StaleEpoch, StoreError):
        raise
    except OutOfTime:
        ending = _failed(await late(run.store, task.deadline), task)
    except LimitMet as met:
        ending = _failed(await run.store.read(exceeded, met), task)
    except LampworkError as error:
        ending = _failed(error, task)
    return await _finish(task, await genie.concluding(task, ending))


async def _give_up(run: Run, new: openings.NewTask, claim: claims.Claim) -> values.Recorded:
    """End a task whose time was up before its turn came."""
    error = (await late(run.store, Deadline(claim.deadline, claim.deadline_budget))).to_record()
    error["fields"] |= {"task_id": new.id, "conversation_id": claim.conversation_id}
    envelope = values.write(values.Failure(error))
    told = await run.store.write(
        tasks.finish,
        *(claim.conversation_id, new.id, claim.epoch, ()),
        at=clock.now(),
        after=-1,
        status="failed",
        usage={},
        outcome={"error": error},
        envelope=envelope,
    )
    run.worker.deliver(told)
    return values.Recorded(envelope)


async def _read(run: Run, new: openings.NewTask, claim: claims.Claim) -> Transcript:
    """What was written before, up to what the task may see."""
    transcript = Transcript(new.id)
    if claim.files is not None:
        new.told["files"] = claim.files
    if claim.is_new and not new.continues:
        transcript.contents = await load(run.store, [new.told])
        transcript.take(1, "told", new.told, epoch=claim.epoch)
        return transcript
    query = (conversations.read, claim.conversation_id, new.id, claim.history_until)
    rows = await run.store.read(*query)
    told = [row.body for row in rows if row.kind == "told"]
    transcript.contents = await load(run.store, [*told, new.told])
    transcript.read(rows)
    transcript.last_seq = claim.last_seq
    return transcript


async def _take_in_hand(
    run: Run,
    assignment: Assignment,
    model: LanguageModel,
    new: openings.NewTask,
    claim: claims.Claim,
    transcript: Transcript,
    briefing: Briefing,
) -> TaskInHand:
    """All that the turns need; the genie is told its task if nobody has."""
    hold = Hold(run, claim, transcript)
    deadline = Deadline(claim.deadline, claim.deadline_budget)
    if assignment.genie.max_concurrent_tasks is not None:
        hold.place = Place(hold, assignment.genie.name, new.call, deadline)
        run.places[hold.task_id] = hold.place
    if not transcript.told:
        await hold.append(("told", new.told), status="working")
    skills = run.cast.skills_of(assignment.genie)
    withheld = metadata.withheld(skills, claim.metadata)
    wanted, _ = needles(claim.metadata, [tuple(path) for path in claim.sealed])
    seal, own = Seal(wanted), {each.text for each in wanted}
    guarded = (each for each in assignment.guarded if each.text not in own)
    return TaskInHand(
        assignment,
        new.call,
        hold,
        model,
        briefing,
        claim.metadata,
        {skill.name: skill for skill in skills if skill.name not in withheld},
        Scanner(Matcher((*wanted, *guarded)), seal, transcript.evidence.carrying),
        seal,
        deadline,
    )


def _failed(error: LampworkError, task: TaskInHand) -> Ending:
    """The end of a task by an error, which names the effects that nobody knows."""
    unknown: list[dict[str, Json]] = [
        {"task": task.hold.task_id, "skill": each.skill, "key": each.key}
        for each in task.hold.transcript.open.values()
        if each.unknown is not None
    ]
    if unknown:
        error.message = error.message.rstrip(".") + unknown_in_words(unknown)
        error.fields["effects"] = unknown
    kind, entry = failed(error)
    scan = task.scanner.under_way  # of the request that it was the answer to
    return Ending([(kind, entry if scan is None else entry | {"scan": scan})], error=error)


async def _finish(task: TaskInHand, ending: Ending) -> values.Recorded:
    """Write the end down, in one with the call's outcome and the conversation's release."""
    hold, so_far = task.hold, task.hold.transcript
    after, at = so_far.last_seq, clock.now()
    hold.take(after + 1, ending.entries, at)
    below: list[dict[str, Json]] = []
    if any(action.job is not None for action in so_far.actions.values()):
        below = await hold.run.store.read(tasks_below, hold.task_id)
    if ending.error is None:
        # The answer is in the last entry already; the row only says where.
        outcome: dict[str, Json] = {"answered": so_far.last_seq}
        record = answer_record(so_far, hold.claim, below)
        came_of_it: values.Outcome = values.Value(
            values.encode(record, values.UNTYPED, "the task's answer")
        )
    else:
        fields: dict[str, Json] = {
            "task_id": hold.task_id,
            "conversation_id": hold.conversation_id,
        }
        if isinstance(ending.error, BudgetExceeded | TaskDeadlineExceeded):
            fields["partial"] = task.seal.reveal(so_far.last_text)
        error = ending.error.to_record()
        error["fields"] |= fields
        done = {"usage": so_far.usage, "actions": actions_record(so_far.actions.values(), below)}
        outcome = {"error": error}
        trace = values.users_traceback(ending.error)
        came_of_it = values.Failure(error | {"fields": error["fields"] | done}, trace)
    envelope = values.write(came_of_it)
    told = await hold.finish(
        *ending.entries,
        at=at,
        after=after,
        status="failed" if ending.error is not None else "answered",
        outcome=outcome,
        envelope=envelope,
    )
    failpoint.hit("answer.appended")
    _say_ended(task, ending)
    hold.run.worker.deliver(told)
    return values.Recorded(envelope)


def _say_ended(task: TaskInHand, ending: Ending) -> None:
    """Log that a task has ended, and what it took."""
    if not _log.isEnabledFor(logging.INFO):
        return
    hold, how = task.hold, "answered" if ending.error is None else "failed"
    facts: dict[str, Json] = {
        "event": f"task.{how}",
        "task_id": hold.task_id,
        "job_id": hold.run.job_id,
        "conversation_id": hold.conversation_id,
        "genie": task.genie.name,
        "turns": hold.transcript.turns,
        "usage": hold.transcript.usage,
        "error": None if ending.error is None else ending.error.code,
    }
    said = "task %(task_id)s: %(genie)s has answered, in %(turns)s turns"
    if ending.error is not None:
        said = "task %(task_id)s of %(genie)s failed in turn %(turns)s: %(error)s"
    _log.info(said, facts, extra=facts)
