"""The turn loop: ask the model, judge its reply, act on it, until the genie has answered."""

from __future__ import annotations

from lampwork import failpoint
from lampwork.errors import (
    SkillFailed,
    SkillFailing,
    TurnLimitReached,
)
from lampwork.store.spending.budgets import LimitMet
from lampwork.tasks.judgement import in_vain, judge
from lampwork.tasks.model_call import ask_model, count_cut_off
from lampwork.tasks.request import request
from lampwork.tasks.skill_call import SkillCalls
from lampwork.tasks.summarise import summarise
from lampwork.tasks.task import Ending, TaskInHand

__all__ = ["take_turns"]


async def take_turns(task: TaskInHand) -> Ending:
    """Work until the genie has answered or can't. What was done before a crash is not done again.

    Raises MetadataLeaked, ModelUnavailable, PlaybookFailed, SkillFailing, SkillFailed,
    TurnLimitReached,
    LimitMet, BudgetNotEnforceable, OutOfTime.
    """
    run, given = task.hold.run, (task.skills, task.metadata, task.seal, task.deadline)
    calls = SkillCalls(run, task.hold, task.call, *given, task.assignment.user)
    if not task.hold.claim.is_new:
        await count_cut_off(task, request(task))
    if (words := task.hold.transcript.summarise_in) is not None:
        await summarise(task, request(task), words)
    while True:
        await calls.perform_all()
        task.deadline.check()
        _stop_if_hopeless(task)
        run.check()
        ask = request(task)
        scan = await task.scanner.scan(ask)
        answered = await ask_model(task, ask, scan)
        judged = judge(task, answered.reply, scan)
        task.scanner.under_way = None
        if answered.cut_by is not None:
            await task.hold.append(*in_vain(judged.entries, "Not taken: the reply was cut off."))
            raise answered.cut_by
        if judged.ending is not None:
            return judged.ending
        try:
            last, status = task.hold.transcript.last_seq, "waiting" if judged.proposes else None
            await task.hold.append(*judged.entries, after=last, status=status)
        except LimitMet:
            await task.hold.append(*in_vain(judged.entries, "Not run: the budget is too small."))
            raise
        failpoint.hit("said.appended")


def _stop_if_hopeless(task: TaskInHand) -> None:
    so_far = task.hold.transcript
    if so_far.failed_by is not None:
        skill, reason = so_far.failed_by
        raise SkillFailed(
            f'Skill "{skill}" was resolved as failed: {reason}.', skill=skill, reason=reason
        )
    task.genie.check_progress(so_far)
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
