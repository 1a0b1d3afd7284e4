"""`lampwork job ID answer`: a person's answer from the shell."""

from __future__ import annotations

from typing import Any

PROJECT = '''
from typing import Literal

from pydantic import BaseModel, field_validator

from lampwork import Answer, Call, CannotComplete, Job, Project, Turn, playbook

project = Project("desk")


class Verdict(BaseModel):
    status: Literal["approved", "flagged"]
    reason: str

    @field_validator("reason")
    @classmethod
    def says_something(cls, reason: str) -> str:
        if not reason.strip():
            raise ValueError("say why")
        return reason


@project.recipe()
async def ask_around(job: Job) -> str:
    """Ask around."""
    return await job.wait_for("word", str)


@playbook
def asking(turn: Turn) -> Call:
    return Call("ask_around")


@playbook
def declining(turn: Turn) -> CannotComplete:
    return CannotComplete("no order")


patient = project.genie("patient", model=asking, job_description="", skills=[ask_around])
modest = project.genie("modest", model=declining, job_description="")


@project.recipe()
async def review(job: Job, name: str) -> str:
    genie = {"patient": patient, "modest": modest}[name]
    return (await job.assign_task(genie, "Check.", output=Verdict)).output.reason


@project.recipe()
async def review_twice(job: Job) -> list[str]:
    both = [job.assign_task(patient, "Check.", output=Verdict) for _ in range(2)]
    return [task.output.reason for task in await job.gather(*both)]
'''

APPROVED = '{"status": "approved", "reason": "ann has looked"}'


def test_a_task_that_waits_is_answered_and_its_job_goes_on(lampwork: Any) -> None:
    (lampwork.folder / "project.py").write_text(PROJECT)
    job = lampwork.queue("run", "review", "--input", '{"name": "patient"}')
    lampwork.worker()
    lampwork.job(job, "suspended")

    refused = lampwork("job", job, "answer", '{"status": "approved", "reason": " "}')
    assert refused.code == 2
    assert "say why" in refused.err

    answered = lampwork("job", job, "answer", APPROVED, "--by", "ann", "--note", "by phone")
    assert (answered.code, answered.out) == (0, f"Answered t{job[1:]}.1.\n")
    assert lampwork.job(job, "succeeded")["output"] == "ann has looked"
    assert f"t{job[1:]}.1  answered by ann" in lampwork("job", job).out
    assert "\nAnswer, by ann: by phone\n" in lampwork("conversation", f"c{job[1:]}.1").out

    again = lampwork("job", job, "answer", f"t{job[1:]}.1", APPROVED)
    assert again.code == 1
    assert "was already answered by ann" in again.err


def test_a_failed_task_is_answered_in_a_retry_of_its_job(lampwork: Any) -> None:
    (lampwork.folder / "project.py").write_text(PROJECT)
    job = lampwork("run", "review", "--input", '{"name": "modest"}', "--wait", "--json").json
    lampwork.worker()

    words = ("job", job["job_id"], "answer", APPROVED, "--by", "ann")
    unasked = lampwork(*words)
    assert unasked.code == 2
    assert "Nothing was done. Add --yes to answer it, --plan to look." in unasked.err
    plan = lampwork(*words, "--plan")
    task = f"t{job['job_id'][1:]}.1"
    assert plan.out == unasked.out
    assert plan.out == (
        f"A retry of job {job['job_id']} (review, failed)\n"
        "\n"
        "Made anew, as the recipe comes to it: 0 calls\n"
        "\n"
        "Kept as recorded: 0 calls\n"
        "\n"
        f"Task {task}, its call 1, has the answer instead.\n"
    )
    assert lampwork.json("job", job["job_id"])["copies"] == []

    answered = lampwork(*words, "--yes")

    assert answered.code == 0
    assert answered.out.startswith(plan.out)
    first, second = answered.out.removeprefix(plan.out).splitlines()
    assert first == f"Answered {task}."
    copy = second.split()[1]
    assert second == (
        f"Job {copy} goes on with it: a retry of job {job['job_id']}, which stays failed."
    )
    assert lampwork.job(copy, "succeeded")["output"] == "ann has looked"
    named = f"  {copy}  retry of job {job['job_id']}  succeeded  t{copy[1:]}.1 answered by ann\n"
    assert named in lampwork("job", job["job_id"]).out


def test_of_several_tasks_the_one_that_is_meant_is_named(lampwork: Any) -> None:
    (lampwork.folder / "project.py").write_text(PROJECT)
    job = lampwork.queue("run", "review_twice")
    lampwork.worker()
    lampwork.eventually(lambda: len(lampwork.job(job)["waiting_on"]) == 2)
    tasks = [f"t{job[1:]}.1", f"t{job[1:]}.2"]

    unclear = lampwork("job", job, "answer", APPROVED)
    other = lampwork("job", job, "answer", "t0", APPROVED)
    assert (unclear.code, other.code) == (2, 2)
    assert f"Say which task: {', '.join(tasks)}." in unclear.err
    assert f"has no task t0. `lampwork job {job}`" in other.err

    for task in tasks:
        assert lampwork("job", job, "answer", task, APPROVED).code == 0
    assert lampwork.job(job, "succeeded")["output"] == ["ann has looked"] * 2
