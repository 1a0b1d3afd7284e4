"""SIGKILL at moments that are no single boundary: before any, in a recovery, at random."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from tests.crash.around import ROOT, outside, rows


async def test_a_job_killed_between_its_acceptance_and_its_start_is_started(
    workers, undisturbed, somewhere
):
    home, load = somewhere, f"accepted in a {type(somewhere).__name__}"
    async with outside(home):
        killed = await workers.live(home, load, dies="accepted", settings={"max_live": 0})
        assert killed.code == -signal.SIGKILL, workers.stderr.read_text()
        (job_id,) = killed["job_id"]
        assert rows(home, "select id, status from jobs") == [(job_id, "queued")]
        assert rows(home, "select * from workflow_status", "dbos") == []
        life = await workers.live(home, load)
        assert life["job_id"] == [job_id]
    undisturbed.check(home, load, life)


async def test_two_loads_survive_a_kill_that_hits_both(workers, undisturbed, home):
    """What one of them has open when the process dies is nothing that the other waits for."""
    async with outside(home):
        killed = await workers.live(home, "this", "that", failpoints="skill.after_effect=kill@5")
        assert killed.code == -signal.SIGKILL, workers.stderr.read_text()
        life = await workers.live(home, "this", "that")
        assert life.code == 0, workers.stderr.read_text()
    undisturbed.check(home, "this", life, of=2)
    undisturbed.check(home, "that", life, of=2)


@pytest.mark.parametrize(
    "failpoints",
    [
        ("skill.after_effect=kill@3", "job.claimed=kill", "job.begun=kill"),
        ("step.after_effect=kill@3", "store.before_commit=kill@2", "store.after_commit=kill@2"),
        ("park.committed=kill", "wake.committed=kill", "wake.forgotten=kill", "wake.done=kill"),
        ("job.before_publish=kill@3", "job.before_publish=kill", "job.before_publish=kill"),
        ("model.after=kill@2", "task.opened=kill", "task.claimed=kill", "model.before=kill"),
    ],
    ids=lambda points: " then ".join(point.partition("=")[0] for point in points),
)
async def test_a_load_survives_kills_in_its_recovery(failpoints, workers, undisturbed, home):
    load = " then ".join(failpoints)
    async with outside(home):
        for armed in failpoints:
            killed = await workers.live(home, load, failpoints=armed)
            assert killed.code == -signal.SIGKILL, (armed, workers.stderr.read_text())
        life = await workers.live(home, load)
        assert life.code == 0, workers.stderr.read_text()
    assert life["job_id"], "it was accepted again, under its key"
    undisturbed.check(home, load, life)


@pytest.mark.timeout(600)
def test_ten_random_kills_lose_nothing_and_double_nothing():
    """Chaos, in small: `./scripts/bench chaos --kills 1000` does it at length."""
    options = ["--kills", "10", "--seed", "20", "--longest", "1"]
    command = [sys.executable, "-m", "benchmarks.chaos", *options]
    chaos = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert chaos.returncode == 0, chaos.stdout + chaos.stderr
    assert "Nothing was lost" in chaos.stdout


@pytest.mark.parametrize("point", ["model.reserved", "said.appended"])
async def test_a_model_call_that_a_kill_cut_off_stays_charged_as_an_estimate(
    point, workers, undisturbed, home
):
    async with outside(home):
        killed = await workers.live(home, point, failpoints=f"{point}=kill")
        assert killed.code == -signal.SIGKILL, workers.stderr.read_text()
        life = await workers.live(home, point)
        assert life.code == 0, workers.stderr.read_text()
    undisturbed.check(home, point, life)
    estimated = 1 if point == "model.reserved" else 0
    [charged] = rows(home, "select spent_model_calls, estimated_model_calls from budgets")
    assert charged == (3 + estimated, estimated)
