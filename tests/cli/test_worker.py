"""`lampwork worker`: the process that executes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_it_in_order(lampwork: Any, stop: Any, number: int) -> None:
    worker = lampwork.worker()

    done = stop(worker, number)

    assert done.code == 0
    assert "Closing" in done.err


def test_it_says_once_where_it_executes(lampwork: Any, stop: Any) -> None:
    worker = lampwork.start("worker", "project.py", "--json")
    assert worker.stdout is not None
    line = ""
    while not line.endswith("}\n"):
        line += worker.stdout.readline()

    assert json.loads(line) == {
        "place": str(lampwork.folder / ".lampwork"),
        "pid": worker.pid,
        "project": "shop",
    }
    assert stop(worker).out == ""


def test_it_says_what_it_leaves_alone(lampwork: Any, stop: Any) -> None:
    lampwork.other_project()
    lampwork.json("run", "add", "--input", '{"a": 1}', "--wait")
    lampwork.queue("run", "asks")
    lampwork.queue("run", "other.py", "greet")

    worker = lampwork.worker("other.py")
    assert worker.stderr is not None

    # Its own job is under way meanwhile, and may come before that in the log.
    until = iter(worker.stderr.readline, "")
    assert "Left alone: 1 unfinished job of project shop.\n" in until


def test_a_second_one_is_refused_until_the_first_has_gone(lampwork: Any, stop: Any) -> None:
    worker = lampwork.worker()

    refused = lampwork("worker", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "folder_in_use")
    assert refused.json["error"]["fields"]["pid"] == str(worker.pid)

    stop(worker)
    lampwork.worker()


def test_what_was_executing_when_it_closed_goes_on_with_the_next(lampwork: Any, stop: Any) -> None:
    job_id = lampwork.queue("run", "calls_asks")
    worker = lampwork.worker()
    lampwork.job(job_id, "suspended")
    stop(worker)

    lampwork("job", f"{job_id}.1", "send", "go", '"on"')
    lampwork.worker()

    assert lampwork.job(job_id, "succeeded")["output"] == "on"
    assert lampwork.effects() == [f"asked by {job_id}.1", "answered on"]


def test_what_executes_when_it_closes_gets_to_its_end(lampwork: Any, ended: Any) -> None:
    os.mkfifo(lampwork.folder / "pipe")
    job_id = lampwork.queue("run", "holds")
    worker = lampwork.worker("--grace", "60")
    lampwork.eventually(lambda: lampwork.effects() == ["held"])

    worker.send_signal(signal.SIGTERM)
    assert worker.stderr is not None
    while "Closing" not in worker.stderr.readline():
        pass
    (lampwork.folder / "pipe").write_text("let go")
    assert ended(worker).code == 0

    lampwork.worker()
    assert lampwork.job(job_id, "succeeded")["output"] == "let go"
    assert lampwork.effects() == ["held"]


CLOSES_SOON = """
import asyncio
from pathlib import Path

from lampwork import Job, Project, Settings

project = Project("shop")


def hold() -> str:
    print("held\\n", end="", flush=True)  # whole, as the id below: these are two threads
    return Path("pipe").read_text()


async def hold_in_thread() -> str:
    return await asyncio.to_thread(hold)


@project.recipe()
async def holds(job: Job) -> str:
    return await job.step(HOLD)


async def main() -> None:
    settings = Settings(Path("home").absolute(), grace=0.1)
    async with project.open(settings=settings) as app:
        print(f"{(await app.start(holds)).job_id}\\n", end="", flush=True)
        await asyncio.to_thread(input)


asyncio.run(main())
"""


@pytest.mark.parametrize("function", ["hold", "hold_in_thread"])
def test_a_function_that_does_not_come_back_holds_its_process_for_the_grace_and_no_longer(
    lampwork: Any, function: str
) -> None:
    os.mkfifo(lampwork.folder / "pipe")
    (lampwork.folder / "closes.py").write_text(CLOSES_SOON.replace("HOLD", function))
    with subprocess.Popen(
        [sys.executable, "closes.py"],
        cwd=lampwork.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = {process.stdout.readline(), process.stdout.readline()}
        [job_id] = [line.strip() for line in said if line != "held\n"]
        try:
            _, err = process.communicate("\n", timeout=60)
        finally:
            process.kill()

    assert process.returncode == 0
    assert f"job {job_id}: step {function} has not ended within 0.1 s and is left: " in err


def test_a_second_signal_ends_it_at_once_and_the_next_one_goes_on(lampwork: Any, stop: Any) -> None:
    os.mkfifo(lampwork.folder / "pipe")
    job_id = lampwork.queue("run", "holds")
    worker = lampwork.worker("--grace", "60")
    lampwork.eventually(lambda: lampwork.effects() == ["held"])
    worker.send_signal(signal.SIGTERM)
    assert worker.stderr is not None
    while "Closing" not in worker.stderr.readline():
        pass

    assert stop(worker).code == 128 + signal.SIGTERM

    lampwork.worker()
    lampwork.eventually(lambda: lampwork.effects() == ["held", "held"])
    (lampwork.folder / "pipe").write_text("let go")
    assert lampwork.job(job_id, "succeeded")["output"] == "let go"


def test_its_log_says_whose_lines_they_are_and_where_a_job_failed(lampwork: Any, stop: Any) -> None:
    worker = lampwork.worker()
    calls, fails = lampwork.queue("run", "calls_asks"), lampwork.queue("run", "fails")
    lampwork.job(calls, "suspended")
    lampwork.job(fails, "failed")

    log = stop(worker).err

    assert f" job {calls}: about to ask\n" in log
    [failed] = [line for line in log.splitlines() if f" job {fails} failed: " in line]
    place, _, what_to_type = failed.partition(f" job {fails} failed: ")[2].partition(". ")
    assert place.startswith(f"ValueError at {lampwork.folder / 'project.py'}:")
    assert what_to_type == f"What it says: lampwork job {fails}"
    assert "the shop is closed" not in log, "the message of an exception may hold values"


def test_its_log_says_that_an_outcome_is_unknown_and_what_to_type(lampwork: Any, stop: Any) -> None:
    worker = lampwork.worker()
    job_id = lampwork.queue("run", "risks")
    [wait] = lampwork.job(job_id, "needs_attention")["waiting_on"]

    log = stop(worker).err

    assert log.count(f" job {job_id} needs attention: an outcome is unknown: ") == 1
    choice = f"lampwork job {job_id} resolve {wait['wait_id']} happened|did_not_happen|fail\n"
    assert choice in log


def test_its_log_says_that_code_has_changed_and_what_to_type(lampwork: Any, stop: Any) -> None:
    job_id = lampwork.queue("run", "asks")
    worker = lampwork.worker()
    lampwork.job(job_id, "suspended")
    stop(worker)
    code = lampwork.folder / "project.py"
    code.write_text(code.read_text().replace('wait_for("go", str)', 'wait_for("went", str)'))
    worker = lampwork.worker()
    lampwork("job", job_id, "send", "go", '"on"')
    lampwork.job(job_id, "needs_attention")

    log = stop(worker).err

    assert log.count(f" job {job_id} needs attention: ") == 1
    assert f" restart the worker, then: lampwork job {job_id} go-on\n" in log


def test_its_log_for_programs_is_one_json_object_a_line(lampwork: Any, stop: Any) -> None:
    lampwork.other_project()
    lampwork.queue("run", "asks")
    other = lampwork.start("worker", "other.py", "--log", "json")
    assert other.stdout is not None
    assert other.stdout.readline().endswith(f"(pid {other.pid})\n")
    stopped = stop(other)

    lines = [json.loads(line) for line in stopped.err.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("worker.started", "info"),
        ("worker.left_alone", "warning"),
        ("worker.closing", "warning"),
    ]
    assert (lines[0]["pid"], lines[0]["project"]) == (other.pid, "other")
    assert (lines[1]["project"], lines[1]["jobs"]) == ("shop", 1)


def test_an_environment_says_how_its_log_is_written(
    lampwork: Any, stop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMPWORK_LOG", "json")
    worker = lampwork.worker()
    job_id = lampwork.queue("run", "fails")
    lampwork.job(job_id, "failed")

    lines = [json.loads(line) for line in stop(worker).err.splitlines()]
    [failed] = [line for line in lines if line["event"] == "job.failed"]
    assert (failed["job_id"], failed["error_type"]) == (job_id, "ValueError")


def test_how_it_executes_can_be_said(lampwork: Any, stop: Any) -> None:
    how = ("--grace", "7", "--heartbeat", "1", "--park-after", "0", "--max-live", "5")
    worker = lampwork.worker(*how)

    assert "Closing: what executes gets up to 7 s." in stop(worker).err

    refused = lampwork("worker", "--max-live", "0")
    assert refused.code == 2
    assert "'--max-live': 0 is not in the range" in refused.err


COUNTS_WHAT_IS_FROZEN = """
import gc

from lampwork import Job, Project

project = Project("frozen")
before = gc.get_freeze_count()  # by the process that this one is a fork of


def since() -> int:
    return gc.get_freeze_count() - before


@project.recipe()
async def frozen(job: Job) -> int:
    return await job.step(since)
"""


def test_its_garbage_collector_does_not_look_through_what_was_loaded(lampwork: Any) -> None:
    """It stopped everything for a tenth of a second."""
    (lampwork.folder / "frozen.py").write_text(COUNTS_WHAT_IS_FROZEN)
    lampwork.worker("frozen.py")

    job_id = lampwork.queue("run", "frozen.py", "frozen")

    assert lampwork.job(job_id, "succeeded")["output"] > 1_000
