"""The invoice story with a real kill -9 in the middle, as `./scripts/demo` tells it."""

from __future__ import annotations

import subprocess
import sys

from .conftest import EXAMPLES


def test_the_demo_kills_the_worker_and_each_invoice_is_still_handled_once() -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "invoices.demo"],
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        timeout=50,
    )

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "SIGKILL" in demo.stdout
    assert demo.stdout.rstrip().endswith("Each invoice was handled once.")
