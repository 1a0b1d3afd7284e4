"""Each control is audited by one genie; another one, behind an endpoint, collects the evidence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from lampwork import Cron, Endpoint, Job, Metadata, Project, SkillCall

from . import playbook, systems
from .systems import Entry, Export

HERE = Path(__file__).parent

project = Project("compliance", allow_hosts=["127.0.0.1", "localhost"])


class Control(BaseModel):
    id: str
    title: str
    systems: list[str]


class Evidence(BaseModel):
    system: str
    url: str
    exceptions: list[str]


class Collected(BaseModel):
    evidence: list[Evidence]


class Request(BaseModel):
    control: str
    systems: list[str]


class Finding(BaseModel):
    status: Literal["effective", "exceptions"]
    exceptions: list[str]


# --- who collects: behind the endpoint ---


@project.skill
async def export_records(job: Job, system: str) -> Export:
    """Export the records of a system and upload them; the address, and what they say."""

    async def begin() -> int:
        return await systems.begin_export(system, idempotency_key=job.step_key())

    number = await job.step(begin)
    while not await job.step(systems.is_ready, number):
        await job.sleep(1)
    return await job.step(systems.upload, system, number)


collector = project.genie(
    "collector",
    model=playbook.collector,
    job_description=(HERE / "collector.md").read_text(),
    skills=[export_records],
)


@project.recipe(triggers=[Endpoint("POST", "evidence", wait=1)])
async def collect_evidence(job: Job, request: Request) -> list[Evidence]:
    task = await job.assign_task(
        collector, "Collect the evidence.", data=request.model_dump(), output=Collected
    )
    return task.output.evidence


# --- who audits ---


@project.skill
async def request_evidence(
    job: Job, systems: list[str], control_id: Metadata[str]
) -> list[Evidence]:
    """Have the evidence of some systems collected. It may take hours."""
    server = os.environ.get("COMPLIANCE_URL", "http://127.0.0.1:8700")
    wanted = Request(control=control_id, systems=systems).model_dump()
    return await job.call_endpoint(
        f"{server}/run/compliance/evidence", wanted, output=list[Evidence]
    )


@project.skill(effect="idempotent")
async def file_evidence(url: str, note: str, control_id: Metadata[str], call: SkillCall) -> Entry:
    """File a piece of evidence under the control, by its address, with what it shows."""
    return await systems.file(control_id, url, note, idempotency_key=call.idempotency_key)


auditor = project.genie(
    "auditor",
    model=playbook.auditor,
    job_description=(HERE / "auditor.md").read_text(),
    skills=[request_evidence, file_evidence],
)


@project.recipe(triggers=[Cron("0 5 * * 1")])
async def audit_controls(job: Job) -> dict[str, Finding]:
    controls = await job.step(read_controls)
    findings = await job.map(audit_control, controls)
    return {each.id: finding for each, finding in zip(controls, findings, strict=True)}


def read_controls() -> list[Control]:
    listed = json.loads((HERE / "data/controls.json").read_text())
    return [Control.model_validate(each) for each in listed]


async def audit_control(job: Job, control: Control) -> Finding:
    task = await job.assign_task(
        auditor,
        "Audit this control.",
        data={"title": control.title, "systems": control.systems},
        metadata={"control_id": control.id},
        output=Finding,
    )
    return task.output
