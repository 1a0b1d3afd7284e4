"""The audit story: evidence outlasts the endpoint's wait, both sides die, each is filed once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import httpx
import pytest
from tests.warm import Command, Warm

from .conftest import EXAMPLES, ended, service, serving

PROJECT = "compliance_audit/project.py"

FINDINGS = {
    "AC-2": {"status": "exceptions", "exceptions": ["c.okafor"]},
    "CM-3": {"status": "effective", "exceptions": []},
    "CP-9": {"status": "exceptions", "exceptions": ["warehouse"]},
}
NOTES = {
    "AC-2": "exceptions: c.okafor",
    "CM-3": "no exceptions",
    "CP-9": "exceptions: warehouse",
}


def worker(warm: Warm, home: Path) -> Command:
    command = ("-m", "lampwork", "worker", PROJECT)
    return warm.start(command, cwd=EXAMPLES, env=os.environ | {"LAMPWORK_HOME": str(home)})


def killed(process: Command) -> None:
    process.kill()
    process.communicate(timeout=60)


def parked_at_endpoint(api: httpx.Client, many: int) -> set[str]:
    """Where the jobs are that others wait for at the endpoint, once they are so many."""
    until = time.monotonic() + 60
    while True:
        jobs = api.get("/api/jobs", params={"waiting_on": "endpoint"}).json()["items"]
        waits = [each["subject"] for job in jobs for each in job["waiting_on"]]
        found = {each["at"] for each in waits if each.get("at")}
        if len(found) == many:
            return found
        assert time.monotonic() < until, jobs


def test_both_sides_are_killed_while_evidence_is_collected_and_each_piece_is_filed_once(
    warm: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = "/api/projects/compliance/recipes/audit_controls/jobs"
    with service("compliance_audit.storage", "--slow", SYSTEMS_URL=monkeypatch) as storage:
        with serving(warm, PROJECT, tmp_path, "--no-worker") as api:
            monkeypatch.setenv("COMPLIANCE_URL", str(api.base_url).rstrip("/"))
            first = worker(warm, tmp_path)
            job_id = api.post(started, json={}).json()["job_id"]
            asked = parked_at_endpoint(api, 3)
            killed(first)
        with serving(warm, PROJECT, tmp_path, "--no-worker") as api:  # at another port
            monkeypatch.setenv("COMPLIANCE_URL", str(api.base_url).rstrip("/"))
            storage.post("/finish")
            second = worker(warm, tmp_path)
            try:
                job = ended(api, job_id)
                collecting = api.get("/api/jobs", params={"recipe": "collect_evidence"}).json()
            finally:
                killed(second)
        binder, exports = storage.get("/binder").json(), storage.get("/exports").json()
        filed = {each["control"]: storage.get(each["url"]).text for each in binder}

    assert job["output"] == FINDINGS
    assert {each["control"]: each["note"] for each in binder} == NOTES
    assert len(binder) == 3
    assert "c.okafor" in filed["AC-2"]
    assert exports == {"accounts": 1, "backups": 1, "changes": 1}
    assert {f"/api/jobs/{each['job_id']}" for each in collecting["items"]} == asked
