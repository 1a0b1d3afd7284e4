"""`lampwork job ID answer`: checked by the project's own types, if its code is here."""

from __future__ import annotations

import click

from lampwork.cli import output
from lampwork.cli.job.copying import confirmed, show
from lampwork.cli.options import Options, me
from lampwork.cli.project import load
from lampwork.cli.reading import of_job
from lampwork.cli.run import read_json
from lampwork.cli.working import job_lacking
from lampwork.door import Door
from lampwork.errors import ProjectNotFound
from lampwork.insights import Insights
from lampwork.jobs_door import JobsDoor
from lampwork.project import Project
from lampwork.views import to_json


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
    code = _code(project)

    async def do(insights: Insights) -> int:
        job = await insights.view(job_id)
        task = await insights.task_to_answer(job_id, named)
        door = JobsDoor(insights.store)
        if code is not None and code.name == job.project:
            door = Door(code, insights.store)
        plan = await door.plan_answer(task, value, by=by or me(), note=note)
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
        goes_on = await door.answer_task(task, value, by=by or me(), note=note)
        return await _answered(insights, options, task, job_id, goes_on.job_id)

    return of_job(options, job_id, do)


def _code(project: str | None) -> Project | None:
    """The project's code. Without it an answer is checked by what is on record of its type."""
    try:
        return load(project)
    except ProjectNotFound:
        if project is not None:
            raise
        return None


async def _answered(
    insights: Insights, options: Options, task: str, job_id: str, goes_on: str
) -> int:
    job = await insights.job(goes_on)
    if options.as_json:
        output.say_json(to_json(job))
        return 0
    output.say(f"Answered {task}.")
    if goes_on != job_id:
        output.say(f"Job {goes_on} goes on with it: a retry of job {job_id}, which stays failed.")
    lacking = job_lacking(await insights.executing(job.project), job.project, options)
    if job.ended_at is None and lacking is not None:
        output.say(lacking)
    return 0
