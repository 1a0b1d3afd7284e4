"""A job that kills its process each time is alone after two crashes, and stopped after five."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.crash.around import ROOT
from tests.crash.poisoner import NEIGHBOURS


def live(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.crash.poisoner", str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.timeout(600)
def test_a_job_that_kills_its_process_is_stopped_and_its_neighbours_are_unharmed(tmp_path):
    """It takes down who executes beside it twice, and nobody after that."""
    deaths = [live(tmp_path) for _ in range(5)]
    assert [each.returncode for each in deaths] == [-signal.SIGKILL] * 5, deaths[-1].stderr
    done = live(tmp_path)
    assert done.returncode == 0, done.stderr

    [poison, others] = json.loads(done.stdout)
    assert poison == ["deadly", "needs_attention", 1, 5]
    assert others[:3] == ["neighbour", "succeeded", NEIGHBOURS]
    assert others[3] <= 2, "nobody else was executing when it ran alone"
    worked = (tmp_path / "done").read_text().split()
    assert set(worked) == {str(number) for number in range(NEIGHBOURS)}
    assert len(worked) >= 2 * NEIGHBOURS
