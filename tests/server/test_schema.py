"""schemathesis, which nobody here wrote, finds no answer that /openapi.json does not describe."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import httpx
from tests.support import eventually

from lampwork import Answer, Call, Cron, Job, Metadata, Project, Turn, playbook

from .conftest import Serve

SECONDS = 300 if os.environ.get("LAMPWORK_DEEPER") else 25

project = Project("shop")


@project.skill(effect="idempotent")
def approve(note: str, invoice_id: Metadata[str]) -> str:
    """Approve the invoice."""
    return f"approved {invoice_id}"


@playbook
def clerk(turn: Turn) -> Call | Answer:
    return Answer("done") if turn.results else Call("approve", note="fine")


finance = project.genie("finance", model=clerk, job_description="You check.", skills=[approve])


@project.recipe(triggers=[Cron("0 6 * * *")])
async def review(job: Job, invoice: str = "I-1") -> str:
    task = await job.assign_task(finance, "Check it.", metadata={"invoice_id": invoice})
    return task.response + await job.wait_for("go", str)


CONFIG = """
[generation]
allow-x00 = false

[parameters]
"path.project" = "shop"
"path.recipe" = "review"
"path.job_id" = "{job_id}"
"path.genie" = "finance"
"path.task_id" = "{task_id}"
"path.conversation_id" = "{conversation_id}"
"""

FITS_BY_CODE = (
    *(
        "add_person",
        "set_role",
        "set_password",
        "disable_person",
        "enable_person",
        "make_key",
        "list_changes",
        "list_jobs",
        "list_conversations",
    ),
    *("start_job", "send_event", "resolve_job", "plan_fork", "fork_job"),
    *("assign_task", "send_message", "answer_task", "plan_answer", "upload_file"),
)
"""What fits is for the project's code, the job's record or the page before to say: 422 is no
surprise there."""

OF_ONE = """
[[operations]]
include-operation-id = "{operation}"
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 409, 410, 422]
"""


async def test_every_answer_is_as_the_description_says(serve: Serve, tmp_path: Path) -> None:
    async with serve(project, triggers=True) as api:
        job = await waiting(api)
        task = job["calls"][0]["task"]
        known = {each: task[each] for each in ("task_id", "conversation_id")}
        config = tmp_path / "schemathesis.toml"
        by_code = [OF_ONE.format(operation=each) for each in FITS_BY_CODE]
        config.write_text("".join([CONFIG.format(job_id=job["job_id"], **known), *by_code]))
        words = ["--config-file", str(config), "run", f"{api.base_url}/openapi.json"]
        bounds = ["--max-time", str(SECONDS), "--seed", "1", "--checks", "all", "--no-color"]
        bounds += ["--request-timeout", "60"]
        bounds += ["--exclude-operation-id", "follow_events"]  # which never ends
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", *words, *bounds),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
        )
        said, _ = await run.communicate()

    assert run.returncode == 0, said.decode()


async def waiting(api: httpx.AsyncClient) -> Any:
    """A job that has done something, and waits."""
    started = await api.post("/api/projects/shop/recipes/review/jobs", json={})
    job_id: str = started.json()["job_id"]

    async def suspended() -> Any:
        job = (await api.get(f"/api/jobs/{job_id}")).json()
        return job if job["status"] == "suspended" else None

    return await eventually(suspended)
