"""SIGKILL anywhere in `lampwork erase`: typed again it goes on, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.crash.prunable import CANARY
from tests.integrity import dangling, stray_records

from lampwork.failpoint import POINTS_OF_ERASING

WHO = [f"--metadata=invoice={CANARY}-1"]

KILLS = [
    *((point, 1) for point in POINTS_OF_ERASING),
    ("prune.swept", 2),
    *((point, nth) for point in ("store.before_commit", "store.after_commit") for nth in (1, 2, 4)),
]


def lampwork(home: Path, *words: str, failpoints: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lampwork", *words, "--json", "--home", home],
        env={**os.environ, "LAMPWORK_FAILPOINTS": failpoints},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def holding(home: Path) -> list[str]:
    return [
        file.name
        for file in home.rglob("*")
        if file.is_file() and CANARY.encode() in file.read_bytes()
    ]


@pytest.mark.parametrize(("name", "nth"), KILLS)
def test_an_erasure_that_was_killed_goes_on_when_it_is_typed_again(
    name: str, nth: int, aged: Path
) -> None:
    assert len(holding(aged)) >= 2
    found = json.loads(lampwork(aged, "erase", *WHO, "--dry-run").stdout)["would_erase"]
    assert found["amount"]["trees"] == 3

    killed = lampwork(aged, "erase", *WHO, "--yes", failpoints=f"{name}=kill@{nth}")
    assert killed.returncode == -signal.SIGKILL, f"erase never comes to {name}: {killed.stderr}"
    done = lampwork(aged, "erase", *WHO, "--yes")

    assert done.returncode == 0, done.stderr
    assert holding(aged) == []
    assert dangling(aged) == {}
    assert stray_records(aged) == set()
    for root in found["jobs"]:
        tombstone = json.loads(lampwork(aged, "job", root).stdout)
        assert tombstone["status"] in ("succeeded", "failed")
        assert tombstone["erased_at"] is not None
