"""`lampwork job ID answer`: checked by the project's own types, if its code is here."""

from __future__ import annotations

import click

from lampwork.cli import output
from lampwork.cli.job.copying import confirmed, show
from lampwork.cli.options import Options
from lampwork.cli.project import load
from lampwork.cli.reading import of_job
from lampwork.cli.run import read_json
from lampwork.cli.source import Source
from lampwork.cli.working import job_lacking
from lampwork.errors import InputInvalid, ProjectNotFound, TaskNotFound
from lampwork.project import Project
from lampwork.views import JobDetails, to_json


def answer(
    options: Options,
    job_id: str,
    words: tuple[str, ...],
    *,
    by: str | None,
    note: str | None,
    project: str | None,
    only_plan: bool,
    yes: bool,
) -> int:
    """Answer a task of a job in its genie's place; the exit code.

    Of a failed task that is a retry of its job, which is shown and confirmed first.
    """
    match words:
        case (text,):
            named = None
        case (named, text):
            pass
        case _:
            raise click.UsageError("Give [TASK] JSON, the JSON in quotes.")
    value = read_json("The answer", text, example='"text"')
    if options.at_server is not None and project is not None:
        raise click.UsageError("A server checks by its own code. Leave --project out.")
    code = None if options.at_server is not None else _code(project)

    async def do(source: Source) -> int:
        task = _meant(await source.job(job_id), named)
        plan = await source.plan_answer(task, value, note=note)
        if only_plan and options.as_json:
            output.say_json(to_json(plan))
            return 0
        if plan is not None and not options.as_json:
            show(plan)
        if only_plan and plan is None:
            output.say(f"Task {task} waits: its job goes on with the answer.")
        if only_plan:
            return 0
        if plan is not None and not yes and not confirmed("answer", options):
            return 1
        goes_on = await source.answer_task(task, value, note=note)
        return await _answered(source, options, task, job_id, goes_on.job_id)

    return of_job(options, job_id, do, by=by, code=code)


def _meant(job: JobDetails, named: str | None) -> str:
    """The task of a job that is to be answered; without an id, the only one there is.

    Raises TaskNotFound, InputInvalid.
    """
    tasks = [call.task for call in job.calls if call.task is not None]
    if named is not None:
        if named not in [task.task_id for task in tasks]:
            raise TaskNotFound(f"Job {job.job_id} has no task {named}. `lampwork job {job.job_id}`")
        return named
    unended = [task.task_id for task in tasks if task.ended_at is None]
    found = unended or [task.task_id for task in tasks if task.status == "failed"]
    if not found:
        raise TaskNotFound(f"Job {job.job_id} has no task that waits or has failed.")
    if len(found) > 1:
        raise InputInvalid(f"Say which task: {', '.join(found)}.", problems=["task"])
    return found[0]


def _code(project: str | None) -> Project | None:
    """The project's code. Without it an answer is checked by what is on record of its type."""
    try:
        return load(project)
    except ProjectNotFound:
        if project is not None:
            raise
        return None


async def _answered(source: Source, options: Options, task: str, job_id: str, goes_on: str) -> int:
    job = await source.job(goes_on)
    if options.as_json:
        output.say_json(to_json(job))
        return 0
    output.say(f"Answered {task}.")
    if goes_on != job_id:
        output.say(f"Job {goes_on} goes on with it: a retry of job {job_id}, which stays failed.")
    lacking = job_lacking(await source.executing(job.project), job.project, options)
    if job.ended_at is None and lacking is not None:
        output.say(lacking)
    return 0
