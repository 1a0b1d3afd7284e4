"""The invoice story with a real kill -9 in the middle, as `./scripts/demo` tells it."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import EXAMPLES

DEMO = [sys.executable, "-m", "invoices.demo"]


def demo(home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, "--home", str(home)],
        cwd=EXAMPLES,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.timeout(700)  # two whole demonstrations
def test_the_demo_tells_its_story_on_one_screen_and_what_it_says_to_type_works(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"

    first, again = demo(home), demo(home)

    assert first.returncode == 0, first.stdout + first.stderr
    assert "SIGKILL" in first.stdout
    assert "12 calls: 12 clean; none of the requests held one" in first.stdout
    assert "12 requests to a playbook" in first.stdout
    lines = first.stdout.splitlines()
    assert lines[-1] == "Each invoice was handled once."
    assert len(lines) <= 40
    assert [line for line in lines if len(line) > 100 and " --home " not in line] == []
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, lines[-1])
    typed = [line.strip() for line in again.stdout.splitlines() if " --home " in line]
    shown = [
        subprocess.run(shlex.split(line), cwd=EXAMPLES, capture_output=True, text=True, check=True)
        for line in typed
    ]
    assert [line.split()[1] for line in typed] == ["jobs", "job", "conversation"]
    assert "review_pending_invoices" in shown[0].stdout
    assert "succeeded" in shown[1].stdout
    assert "attempts 2" in shown[2].stdout  # the call that the kill cut off


def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")

    ran = demo(tmp_path)

    assert ran.returncode == 1
    assert "holds something else (thesis.txt)" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_narrow_terminal_and_ctrl_c(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "60", "NO_COLOR": "1", "TERM": "xterm"}
    with subprocess.Popen(
        [*DEMO, "--home", str(tmp_path / "home")],
        cwd=EXAMPLES,
        env=env,
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        start_new_session=True,
    ) as running:
        os.close(theirs)
        seen = _read_until(ours, "resumed")
        os.killpg(running.pid, signal.SIGINT)
        seen += _read_until(ours, "Stopped.")
        assert running.wait(60) == 130
    os.close(ours)
    assert "Traceback" not in seen
    until = time.monotonic() + 60
    while _is_left(running.pid):  # what its children had started is reaped by the system
        assert time.monotonic() < until, "something that it started is left"
        time.sleep(0.01)


def _is_left(group: int) -> bool:
    """Whether a process of that group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _read_until(terminal: int, text: str) -> str:
    seen, until = "", time.monotonic() + 120
    while text not in seen:
        assert time.monotonic() < until, seen
        try:
            seen += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # its end, on Linux
            raise AssertionError(f"it ended without {text}: {seen}") from None
    return seen
