"""How a task is opened, or claimed by a later run, and what may keep it from being opened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lampwork import failpoint
from lampwork.errors import InputInvalid, LampworkError
from lampwork.files.taking import take
from lampwork.genies.written_type import write_type
from lampwork.models.ask import LanguageModel
from lampwork.runs.deadline import Deadline, earliest, late
from lampwork.runs.wait import Wait
from lampwork.store.jobs.calls import Beginning
from lampwork.store.tasks import claims, openings
from lampwork.tasks.assignment import Assignment, check_part, check_price
from lampwork.tasks.briefing import Briefing
from lampwork.types import Json, conversation_id, task_id, wait_id

if TYPE_CHECKING:
    from lampwork.runs.run import Run

__all__ = ["new_task", "open_or_claim"]


async def new_task(
    run: Run, assignment: Assignment, call: Beginning, model: LanguageModel, briefing: Briefing
) -> openings.NewTask:
    """What a task starts from, its files taken; with why it is not to be opened, if it is not."""
    new = _row(run, assignment, call, model, briefing)
    new = replace(new, refused=await _refusal(run, assignment, model, new))
    if assignment.files:
        new.told["files"] = await _take_files(run, assignment, model, new)
    return new


def _row(
    run: Run, assignment: Assignment, begins: Beginning, model: LanguageModel, briefing: Briefing
) -> openings.NewTask:
    genie, continued, output = assignment.genie, assignment.conversation, assignment.output
    call, above, id = begins.number, run.lineage, task_id(run.job_id, begins.number)
    budget, begun_at = assignment.budget, run.begun_at(call)
    deadline = earliest(assignment, above, id, begun_at=begun_at)
    return openings.NewTask(
        id=id,
        job_id=run.job_id,
        call=call,
        begins=begins,
        root_id=run.row.root_id,
        parent_id=run.lineage.task_id,
        depth=len(run.lineage.genies) + 1,
        project=run.project.name,
        genie=genie.name,
        conversation_id=continued or conversation_id(run.job_id, call),
        continues=continued is not None,
        wait_id=wait_id(run.job_id, call) if assignment.when_busy == "wait" else None,
        waits_if_paused=assignment.when_paused == "wait",
        told={
            "genie": genie.name,
            "instructions": assignment.instructions,
            "data": assignment.data,
            "on_problem": assignment.on_problem,
            "skills": [skill.name for skill in briefing.skills],
            "withheld": briefing.withheld,
            "briefing": briefing.digest,
            **({} if assignment.history is None else {"history": assignment.history.to_json()}),
            **({} if assignment.user is None else {"user": assignment.user}),
        },
        briefing=(briefing.digest, briefing.content),
        metadata=dict(assignment.metadata),
        sealed=list(map(list, assignment.sealed)),
        output_schema=None if output is None else output.schema,
        output_type=write_type(output),
        metered=model.uses_tokens,
        is_paced=bool(run.project.rate_limits),
        is_limited=genie.max_concurrent_tasks is not None,
        limits=None if budget is None else budget.to_json(),
        nanodollars=None if budget is None else budget.nanodollars,
        begun_at=begun_at,
        budgets_above=above.budgets,
        deadline=deadline.at,
        deadline_budget=deadline.budget,
        user=assignment.user,
    )


async def _take_files(
    run: Run, assignment: Assignment, model: LanguageModel, new: openings.NewTask
) -> list[Json]:
    """The files of a task that is opened now; of one that has been, as they were then."""
    opened_with = await run.store.read(openings.files_of, new.id)
    if opened_with is not None:
        return opened_with
    taken = await take(
        run.store,
        assignment.files,
        caps=run.worker.settings.reading,
        project=new.project,
        hosts=run.project.allowed_hosts,
        model=model,
        job_id=run.job_id,
    )
    failpoint.hit("files.taken")
    run.check()
    return [each.to_json() for each in taken]


async def _refusal(
    run: Run, assignment: Assignment, model: LanguageModel, new: openings.NewTask
) -> LampworkError | None:
    """Why the task is not to be opened, if it has not been: then nothing has happened."""
    if (error := assignment.not_eligible) is not None:
        return error
    if Deadline(new.deadline).passed:
        return await _too_late(run, new)
    try:
        check_part(assignment)
        check_price(assignment, model, above=run.lineage)
    except InputInvalid as error:
        return error
    return None


async def _too_late(run: Run, new: openings.NewTask) -> LampworkError:
    error = await late(run.store, Deadline(new.deadline, new.deadline_budget))
    error.fields |= {"task_id": new.id, "conversation_id": None}
    return error


async def open_or_claim(run: Run, new: openings.NewTask) -> claims.Claim:
    """Open or claim the task, waiting in line if its conversation is busy, until its deadline."""
    await run.lines.turn(new.conversation_id, new.call)
    claim = await _unless_paused(run, new)
    failpoint.hit("task.opened")
    if not claim.is_new:
        # A task that this run has just opened has no earlier writer to be mistaken for. Of two runs
        # of one job, in one process the older one was ended; in two its executor acts no more.
        await run.prove()
    while not claim.holds and claim.outcome is None:
        answer = await run.until(
            Wait(
                id=claim.wait_id or "",
                job_id=run.job_id,
                call=new.call,
                kind="conversation",
                task_id=new.id,
                subject={"conversation": claim.conversation_id},
                due_at=claim.deadline,
            )
        )
        claim = await _unless_paused(run, new)
        await run.prove()
        if answer.kind == "expired":
            break
    failpoint.hit("task.claimed")
    return claim


async def _unless_paused(run: Run, new: openings.NewTask) -> claims.Claim:
    """Open or claim the task, waiting until its genie is started if it is paused."""
    found = await run.store.write(openings.open_or_claim, new)
    run.lines.leave(new.conversation_id, new.call)
    while isinstance(found, Wait):
        if (await run.until(found)).kind == "expired":
            raise await _too_late(run, new)
        found = await run.store.write(openings.open_or_claim, new)
    return found
