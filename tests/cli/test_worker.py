"""`lampwork worker`: the process that executes."""

from __future__ import annotations

import json
import signal
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
        "home": str(lampwork.folder / ".lampwork"),
        "pid": worker.pid,
        "project": "shop",
    }
    assert stop(worker).out == ""


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
