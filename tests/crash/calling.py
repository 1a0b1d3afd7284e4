"""Who calls (`lampwork worker`), and who is called (`lampwork serve`)."""

from __future__ import annotations

import os

from lampwork import Answer, Endpoint, Job, Project, Webhook, playbook

SECRET = "whsec_" + "b2xk" * 8

project = Project("desk", allow_hosts=["127.0.0.1"])
project.genie("clerk", model=playbook(lambda turn: Answer("done")), job_description="You file.")


@project.recipe(triggers=[Endpoint("POST", "collect", wait=0)])
async def collect(job: Job, control: dict[str, str]) -> list[str]:
    return [control["id"], await job.wait_for("found", str)]


@project.recipe(triggers=[Webhook("tickets", secret=SECRET)])
async def file_ticket(job: Job, ticket: dict[str, int]) -> int:
    return ticket["number"]


@project.recipe()
async def audit(job: Job, control: str) -> list[str]:
    url = f"{os.environ['COLLECTOR']}/run/desk/collect"
    return await job.call_endpoint(url, {"id": control}, output=list[str])
