"""`lampwork backup`, `restore` and `restored`: beside a worker, and after it was lost."""

from __future__ import annotations

import json
import signal
from typing import Any


def test_what_was_done_after_a_backup_is_asked_for_when_it_is_restored(
    lampwork: Any, stop: Any
) -> None:
    worker = lampwork.worker()
    job = lampwork.queue("run", "risky")
    lampwork.job(job, "suspended")
    made = lampwork.json("backup", "backups/one")
    assert made["dir"] == "backups/one"
    assert [each["name"] for each in made["files"]] == ["engine.db", "lampwork.db"]
    lampwork("job", job, "send", "go", "true")
    lampwork.job(job, "succeeded")

    in_use = lampwork("restore", "backups/one", "--replace")
    assert (in_use.code, "executes the jobs of" in in_use.err) == (1, True)
    stop(worker, signal.SIGKILL)
    occupied = lampwork("restore", "backups/one")
    assert (occupied.code, "--replace" in occupied.err) == (1, True)

    restored = lampwork("restore", "backups/one", "--replace")
    assert restored.code == 0, restored
    assert "1 tree of jobs had not ended." in restored.out
    assert "What was there is in " in restored.out
    listed = lampwork.json("jobs", "--restored")["items"]
    assert [(each["job_id"], each["status"]) for each in listed] == [(job, "suspended")]
    assert lampwork.json("job", job)["restored"]["backup_at"] == made["made_at"]
    assert "restored  from a backup of" in lampwork("job", job).out
    assert lampwork.json("restored")["jobs"] == 1
    assert "lampwork restored --close" in lampwork("doctor").out

    worker = lampwork.worker()
    lampwork("job", job, "send", "go", "true")
    waits = lampwork.job(job, "needs_attention")["waiting_on"]
    assert lampwork.effects() == ["risked"], "it was done once, and is asked for"
    resolved = lampwork("job", job, "resolve", waits[0]["wait_id"], "happened", "--result", "7")
    assert resolved.code == 0, resolved
    assert lampwork.job(job, "succeeded")["output"] == 7
    stop(worker)
    assert lampwork("restored", "--close").out.startswith("All is known.")
    assert lampwork.json("restored") == {"restored": None, "jobs": 0}


def test_what_was_copied_back_by_hand_is_marked(lampwork: Any) -> None:
    lampwork.queue("run", "risky")

    marked = lampwork("restored", "--at", "2026-01-02T03:04:05Z")
    assert marked.code == 0, marked
    assert lampwork.json("restored")["restored"]["backup_at"] == "2026-01-02T03:04:05Z"
    wrong = lampwork("restored", "--at", "yesterday")
    assert (wrong.code, "is no moment in ISO 8601" in wrong.err) == (2, True)
    both = lampwork("restored", "--at", "2026-01-02T03:04:05Z", "--close")
    assert both.code == 2


def test_a_database_on_a_server_is_backed_up_by_its_own_means(lampwork: Any) -> None:
    url = "postgresql://ann:secret@127.0.0.1:1/lamp"
    for verb, program in (("backup", "pg_dump"), ("restore", "pg_restore")):
        refused = lampwork(verb, "there", "--db", url, "--json")
        assert refused.code == 1
        error = json.loads(refused.out)["error"]
        assert error["code"] == f"{verb}_refused"
        assert program in error["message"]
        assert "secret" not in error["message"]
