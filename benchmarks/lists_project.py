"""The project whose lists are measured."""

from __future__ import annotations

from lampwork import Answer, Job, Project, playbook

project = Project("stored")

clerk = project.genie("clerk", model=playbook(lambda turn: Answer("done")), job_description="")
finance = project.genie("finance", model=playbook(lambda turn: Answer("done")), job_description="")
auditor = project.genie("auditor", model=playbook(lambda turn: Answer("done")), job_description="")


async def _review(job: Job, invoice: str = "") -> str:
    await job.wait_for("paid", str)
    return (await job.assign_task(clerk, "Check it.", metadata={})).response


for number in range(10):
    project.recipe(name=f"review_{number}")(_review)
