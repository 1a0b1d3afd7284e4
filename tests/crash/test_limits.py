"""SIGKILL under limits: what a dead process held is free again, and nobody goes beyond them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.crash.around import ROOT, rows
from tests.crash.limited import MOST, TASKS


def work(home: Path, *, killed_after: int | None) -> tuple[list[str], int]:
    """What a process said until it was killed after so many lines, or has ended; how many worked
    at once, at the most."""
    command = [sys.executable, "-m", "tests.crash.limited", str(home)]
    said: list[str] = []
    now = most = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            said.append(line.strip())
            now += {"+": 1, "-": -1}.get(line[0], 0)
            most = max(most, now)
            if len(said) == killed_after:
                process.kill()
    return said, most


@pytest.mark.timeout(600)
def test_places_of_a_killed_process_are_free_again_and_nobody_goes_beyond_the_limits(
    tmp_path: Path,
) -> None:
    """Killed three times in the midst of its model calls, with others in line behind them."""
    home = tmp_path / "home"
    lives = [work(home, killed_after=after) for after in (4, 5, 7)]
    lives.append(work(home, killed_after=None))
    assert lives[-1][0][-1] == "done"
    assert max(most for _, most in lives) <= MOST
    ended = [line for said, _ in lives for line in said if line.startswith("-")]
    assert {line.removeprefix("- ") for line in ended} == {
        *(f"{number}.{each}" for number in range(TASKS // 2) for each in range(2)),
        *(f"one {number}" for number in range(TASKS // 2)),
    }
    begun = [line for said, _ in lives for line in said if line.startswith("+ one")]
    assert list(dict.fromkeys(begun)) == [f"+ one {number}" for number in range(TASKS // 2)]
    assert rows(home, "select status, count(*) from jobs group by status") == [("succeeded", TASKS)]
    assert rows(home, "select holder from places") == []
