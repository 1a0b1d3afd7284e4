"""A project that reaches what it is meant to: a model, a service, and a file there."""

from __future__ import annotations

import os
import socket

from pydantic import BaseModel

from lampwork import Cron, Job, Project, SkillCall, Webhook

SECRET = "whsec_" + "b2xk" * 8
NOWHERE = ("127.0.0.9", 9)

project = Project("quiet", allow_hosts=["127.0.0.1"])


@project.skill(effect="read")
async def count_stock(item: str, call: SkillCall) -> str:
    """Count what is in stock of an item."""
    async with call.http() as http:
        return (await http.get(f"{os.environ['SHOP']}/stock/{item}")).text


clerk = project.genie(
    "clerk",
    model="openai-chat:recorded",
    job_description="You count.",
    skills=[count_stock],
)


class Counted(BaseModel):
    lamps: int


@project.recipe(triggers=[Cron("0 0 1 1 *"), Webhook("orders", secret=SECRET)])
async def count(job: Job, order: dict[str, str] | None = None) -> Counted:
    files = [f"{os.environ['SHOP']}/order.csv"]
    return (await job.assign_task(clerk, "Count them.", files=files, output=Counted)).output


def call_home() -> None:
    with socket.socket() as phone:
        phone.connect_ex(NOWHERE)


@project.recipe()
async def stray(job: Job) -> None:
    await job.step(call_home)
