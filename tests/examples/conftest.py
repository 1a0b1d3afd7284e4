"""The services that the stories need, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.warm import Warm

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def service(module: str, *words: str, **told: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A service of an example, and a client of it; the variable of that name has its address."""
    command = [sys.executable, "-m", module, "--port", "0", *words]
    with subprocess.Popen(command, cwd=EXAMPLES, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            for name, monkeypatch in told.items():
                monkeypatch.setenv(name, url)
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                yield client
        finally:
            process.terminate()


@contextmanager
def serving(warm: Warm, project: str, home: Path, *words: str) -> Iterator[httpx.Client]:
    """`lampwork serve` of an example, and a client of it, until the block is left."""
    command = ("-m", "lampwork", "serve", project, "--port", "0", "--json", *words)
    server = warm.start(command, cwd=EXAMPLES, env=os.environ | {"LAMPWORK_HOME": str(home)})
    try:
        assert server.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = server.stdout.readline()
            assert line, server.communicate()
            said += line
        with httpx.Client(base_url=json.loads(said)["url"], timeout=60, trust_env=False) as api:
            yield api
    finally:
        server.terminate()
        server.communicate(timeout=60)


def ended(api: httpx.Client, job_id: str, seconds: float = 100) -> Any:
    """A job that has succeeded."""
    until = time.monotonic() + seconds
    while (job := api.get(f"/api/jobs/{job_id}").json())["ended_at"] is None:
        assert time.monotonic() < until, job
    assert job["status"] == "succeeded", job["error"]
    return job


@pytest.fixture
def accounting(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The accounting service of the invoice story, and a client of it."""
    with service("invoices.accounting", ACCOUNTING_URL=monkeypatch) as client:
        yield client
