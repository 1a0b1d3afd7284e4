"""`./scripts/demo --model …`: the same story with a model over the wire."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

DECISIONS = {
    "Halden Paper AS": ("approve_invoice", {"note": "as ordered"}, "approved"),
    "Ostrava Steel s.r.o.": ("request_documents", {"documents": ["note"]}, "needs_documents"),
    "Brightwater Cleaning Ltd": ("flag_for_review", {"reason": "total"}, "flagged"),
    "Lumen Electric GmbH": ("approve_invoice", {"note": "as ordered"}, "approved"),
    "Corvid IT Services BV": ("flag_for_review", {"reason": "bank account"}, "flagged"),
    "Marlow Legal LLP": ("request_documents", {"documents": ["order"]}, "needs_documents"),
}
USAGE = {"input_tokens": 1000, "output_tokens": 10, "total_tokens": 1010}


def decided(supplier: str) -> list[dict[str, Any]]:
    """What the model does about an invoice: one skill call, then its answer."""
    skill, arguments, status = DECISIONS[supplier]
    answer = {"status": status, "reason": "as it says"}
    return [
        {
            "match": {"userMessage": supplier, "hasToolResult": has_result},
            "response": {"toolCalls": [{"id": f"c{n}", "name": name, "arguments": given}]}
            | {"usage": USAGE},
        }
        for n, (has_result, name, given) in enumerate(
            [(False, skill, arguments), (True, "answer", answer)]
        )
    ]


def spent(shown: str) -> tuple[int, float]:
    """Tokens and dollars of the requests that the kill did not cut off."""
    found = re.findall(r"([\d,]+) tokens, \$([\d.]+)\.", shown)
    (tokens, dollars), *estimated = [(int(t.replace(",", "")), float(d)) for t, d in found]
    return tokens - sum(t for t, _ in estimated), dollars - sum(d for _, d in estimated)


def demo(home: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invoices.demo", "--home", str(home), *words],
        cwd=EXAMPLES,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_the_demo_runs_on_a_model_and_shows_what_it_cost(aimock, tmp_path: Path) -> None:
    server = aimock(*(each for supplier in DECISIONS for each in decided(supplier)))
    env = {"OPENAI_API_KEY": "sk-canary", "OPENAI_BASE_URL": f"{server.url}/v1"}

    ran = demo(tmp_path / "home", "--model", "openai:gpt-5-mini", **env)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "openai:gpt-5-mini decides." in ran.stdout
    assert "SIGKILL" in ran.stdout
    assert "12 calls: 12 clean; none of the requests held one" in ran.stdout
    tokens, dollars = spent(ran.stdout)
    assert tokens == 12 * 1010
    # Shown in millionths: each amount that is taken off may be one rounded up, or down.
    assert dollars == pytest.approx(12 * (1000 * 0.25 + 10 * 2) / 1e6, abs=5e-6)
    assert ran.stdout.rstrip().endswith("Each invoice was handled once.")
    ids = [
        each["id"] for each in json.loads((EXAMPLES / "invoices/data/invoices.json").read_text())
    ]
    assert [each for each in ids if any(each in sent.text for sent in server.sent)] == []


def test_a_missing_key_is_said_before_anything_starts(tmp_path: Path) -> None:
    ran = demo(tmp_path / "home", "--model", "openai:gpt-5-mini", OPENAI_API_KEY="")

    assert ran.returncode == 1
    assert ran.stdout == ""
    assert 'Model "openai:gpt-5-mini" needs a key: set OPENAI_API_KEY' in ran.stderr
    assert not (tmp_path / "home").exists()
