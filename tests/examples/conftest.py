"""The services that the stories need, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def accounting(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The accounting service of the invoice story, and a client of it."""
    command = [sys.executable, "-m", "invoices.accounting", "--port", "0"]
    with subprocess.Popen(command, cwd=EXAMPLES, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            url = json.loads(service.stdout.readline())["url"]
            monkeypatch.setenv("ACCOUNTING_URL", url)
            with httpx.Client(base_url=url, trust_env=False) as client:
                yield client
        finally:
            service.terminate()
