"""What came of work that was waited for, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lampwork.cli import output
from lampwork.cli.options import Options
from lampwork.types import Json
from lampwork.views import JobDetails, JobTree, to_json

_TASK_FIELDS = (
    "response",
    "task_id",
    "conversation_id",
    "metadata",
    "usage",
    "actions",
    "proof",
    "artifacts",
)


def say_ended(job: JobDetails, options: Options) -> int:
    """Print what came of a job that was waited for; the exit code."""
    for line in _in_vain(job):
        output.warn(line)
    if options.as_json:
        output.say_json(summary(job))
    elif job.status == "succeeded":
        took = output.span(job.started_at or job.created_at, job.ended_at)
        output.say(f"Job {job.job_id} succeeded in {took}.{_used(job)}")
        output.say(output.pretty(summary(job)["output"]))
        for file in delivered(job):
            read = ("conversation", file["conversation_id"], "artifact", file["name"])
            output.say(f"{file['name']}: {options.to_type(*read)}")
        for task_id in orchestrations(job):
            output.say(f"Who did what: {options.to_type('orchestration', task_id)}")
    else:
        why = "" if job.error is None else f": {job.error.message}"
        output.warn(f"Error: job {job.job_id} {job.status}{why}")
        if job.usage:
            output.warn(_used(job).strip())
        output.warn(f"All of it: {options.to_type('job', job.job_id)}")
        for task_id in orchestrations(job):
            output.warn(f"Who did what: {options.to_type('orchestration', task_id)}")
    return 0 if job.status == "succeeded" else 1


def _in_vain(job: JobTree) -> Iterator[str]:
    """What its tasks, and those below it, did not get or asked for in vain."""
    for call in job.calls:
        if (task := call.task) is not None:
            yield from (f"withheld: {skill} ({why})" for skill, why in task.withheld.items())
            yield from (f"not run: {each.skill}: {each.reply}" for each in task.refused)
        for child in call.jobs:
            yield from _in_vain(child)


def delivered(job: JobDetails) -> list[dict[str, Any]]:
    """The files of the answer of a job that carries a task, each with its `conversation_id`."""
    if not job.carries_task or job.status != "succeeded":
        return []
    answer: dict[str, Any] = job.output
    at = {"conversation_id": answer["conversation_id"]}
    return [each | at for each in answer["artifacts"]]


def orchestrations(job: JobTree) -> Iterator[str]:
    """The tasks of orchestrators, each but those that stand below another one."""
    for call in job.calls:
        if call.task is not None and any(child.is_round for child in call.jobs):
            yield call.task.task_id
        else:
            for child in call.jobs:
                yield from orchestrations(child)


def _used(job: JobDetails) -> str:
    return f" It used {output.used(job.usage)}." if job.usage else ""


def summary(job: JobDetails) -> dict[str, Json]:
    """What came of a job, for programs; of one that carries a task, its answer beside."""
    shown: dict[str, Json] = {
        "job_id": job.job_id,
        "status": job.status,
        "output": job.output,
        "error": to_json(job.error),
        "recipe": job.recipe,
        "created_at": to_json(job.created_at),
        "started_at": to_json(job.started_at),
        "ended_at": to_json(job.ended_at),
        "usage": job.usage,
    }
    if found := list(orchestrations(job)):
        shown["orchestrations"] = found
    if job.carries_task and job.status == "succeeded":
        answer: dict[str, Json] = job.output
        shown["output"] = answer["output"]
        shown |= {name: answer[name] for name in _TASK_FIELDS}
    return shown
