"""Tickets come by webhook and are classified; for a P1 the engineer on call is paged, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from lampwork import Job, Project, Webhook

from . import pager
from .playbook import dispatcher as script

HERE = Path(__file__).parent
ON_CALL: dict[str, str] = json.loads((HERE / "data/on_call.json").read_text())

project = Project("support")


class Ticket(BaseModel):
    id: str
    customer: str
    subject: str
    body: str


class Triage(BaseModel):
    priority: Literal["P1", "P2", "P3", "P4"]
    area: Literal["login", "payments", "delivery", "privacy", "other"]
    summary: str


class Sorted(Triage):
    ticket: str
    paged: str | None = None
    """The engineer."""


dispatcher = project.genie(
    "dispatcher",
    model=script,
    job_description=(HERE / "dispatcher.md").read_text(),
)


@project.recipe(triggers=[Webhook("tickets", secret_env="TICKETS_SECRET")])
async def triage(job: Job, ticket: Ticket) -> Sorted:
    task = await job.assign_task(
        dispatcher, "Classify this ticket.", data=ticket.model_dump(), output=Triage
    )
    found = Sorted(ticket=ticket.id, **task.output.model_dump())
    if found.priority == "P1":
        engineer = ON_CALL.get(found.area, ON_CALL["other"])

        async def page() -> None:
            text = f"{ticket.id} of {ticket.customer}: {found.summary}"
            await pager.page(engineer, text, idempotency_key=job.step_key())

        await job.step(page)
        found.paged = engineer
    return found
