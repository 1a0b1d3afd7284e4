"""`lampwork workers`: who executes, at a server and in a folder."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.usefixtures("place")


def test_it_lists_who_executes_with_the_jobs_in_its_charge(lampwork: Any, stop: Any) -> None:
    nobody = lampwork("workers")
    assert nobody.out.startswith("No process executes the jobs of "), nobody
    first = lampwork.worker("--heartbeat", "60")
    job_id = lampwork.queue("run", "risks")
    lampwork.job(job_id, "needs_attention")

    [found] = lampwork.json("workers")["items"]
    assert (found["pid"], found["host"]) == (first.pid, os.uname().nodename)
    assert (found["project"], found["state"]) == ("shop", "alive")
    assert found["code"] == lampwork.json("job", job_id)["version"]
    assert found["jobs"] == {"needs_attention": 1}
    assert not found["limited"]
    # It begins to, once it executes.
    lampwork.eventually(lambda: lampwork.json("workers")["items"][0]["fires_triggers"])
    [line] = lampwork("workers").out.splitlines()[1:]
    assert line.startswith(f"{found['worker'][:8]}  shop     {found['code'][:8]}  ")
    assert line.endswith("1 needs_attention, lets triggers fire")

    os.mkfifo(lampwork.folder / "pipe")
    held = lampwork.queue("run", "holds")
    lampwork.eventually(lambda: "held" in lampwork.effects())
    executing = {each["job_id"]: each["worker"] for each in lampwork.json("jobs")["items"]}
    assert executing == {held: found["worker"], job_id: None}
    assert lampwork.json("job", held)["worker"] == found["worker"]
    [line] = [each for each in lampwork("jobs").out.splitlines() if each.startswith(held)]
    assert line.endswith(found["worker"][:8] if "LAMPWORK_DB" in os.environ else "s")
    (lampwork.folder / "pipe").write_text("let go")
    lampwork.job(held, "succeeded")

    counted = f" (worker {found['worker'][:8]}), for " if "LAMPWORK_DB" in os.environ else ", for "
    assert f"Process {first.pid} of shop{counted}" in lampwork.eventually(
        lambda: "Process " in (said := lampwork("status").out) and said
    )

    stop(first)
    assert [each["state"] for each in lampwork.json("workers")["items"]] == ["closed"]


def test_one_that_was_killed_is_gone_and_its_successor_is_alive(lampwork: Any) -> None:
    first = lampwork.worker()
    first.kill()
    first.wait()
    if server := os.environ.get("LAMPWORK_DB"):
        with psycopg.connect(server) as connection:  # as if three heartbeats had passed
            connection.execute("update lampwork.executors set beat_at = beat_at - 9")

    def gone() -> Any:
        [found] = lampwork.json("workers")["items"]
        return found if found["state"] == "gone" else None

    found = lampwork.eventually(gone)
    assert found["closed_at"] is None
    queued = lampwork("run", "add", "--input", '{"a": 1}').out
    assert "A worker executes it: lampwork worker\n" in queued

    second = lampwork.worker()
    alive, *_ = lampwork.json("workers")["items"]
    assert (alive["pid"], alive["state"]) == (second.pid, "alive")
    queued = lampwork("run", "add", "--input", '{"a": 1}').out
    there = "A worker is there to execute it: lampwork workers\n"
    assert (there if server else f"Process {second.pid} executes it.\n") in queued
