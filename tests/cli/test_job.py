"""`lampwork job ID`: what it waits for, down to the person, and what can be done about it."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_chain_of_jobs_is_shown_down_to_what_it_waits_for(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "calls_asks")
    lampwork.worker()
    lampwork.job(f"{job_id}.1", "suspended")
    job = lampwork.job(job_id, "suspended")

    [child] = job["waiting_on"]
    [event] = child["waiting_on"]
    assert (child["kind"], child["job"]) == ("child", f"{job_id}.1")
    assert (event["kind"], event["subject"], event["until"]) == ("event", {"name": "go"}, None)

    text = lampwork("job", job_id).out
    assert f"job {job_id}.1 (asks), for " in text
    assert f"      lampwork job {job_id}.1 send go JSON\n" in text
    assert "● 1  call asks" in text
    assert "about to ask" in text


def test_an_event_is_sent_with_its_value(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "asks")
    lampwork.worker()

    sent = lampwork("job", job_id, "send", "go", '"now"')

    assert (sent.code, sent.out) == (0, f"Sent go to job {job_id}.\n")
    assert lampwork.job(job_id, "succeeded")["output"] == "now"
    late = lampwork("job", job_id, "send", "go", '"late"', "--json")
    assert (late.code, late.json["error"]["code"]) == (1, "job_ended")


def test_cancelling_a_job_cancels_all_below_it(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "calls_asks")
    lampwork.worker()
    lampwork.job(f"{job_id}.1", "suspended")

    cancelling = lampwork.json("job", job_id, "cancel")

    assert cancelling["status"] == "cancelled" or cancelling["cancelling"]
    assert lampwork.job(job_id, "cancelled")["waiting_on"] == []
    lampwork.job(f"{job_id}.1", "cancelled")


def test_a_queued_job_can_be_cancelled_before_any_worker_has_seen_it(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "asks")
    lampwork("job", job_id, "cancel")
    shown = lampwork.json("job", job_id)
    assert (shown["status"], shown["cancelling"]) == ("queued", True)

    lampwork.worker()

    assert lampwork.job(job_id, "cancelled")["started_at"] is None
    assert lampwork.effects() == []


@pytest.mark.parametrize(
    ("words", "status", "effects"),
    [
        (("happened", "--result", '"seen on the statement"'), "succeeded", 1),
        (("did_not_happen",), "succeeded", 2),
        (("fail", "--reason", "nobody knows"), "failed", 1),
    ],
)
def test_a_person_resolves_what_nobody_knows(
    lampwork: Any, words: tuple[str, ...], status: str, effects: int
) -> None:
    (lampwork.folder / "broken").touch()
    job_id = lampwork.queue("run", "pays")
    lampwork.worker()
    job = lampwork.job(job_id, "needs_attention")
    [wait] = job["waiting_on"]
    assert (wait["kind"], wait["genie"], wait["task"]) == (
        "resolution",
        "cashier",
        job["calls"][0]["task"]["task_id"],
    )
    assert "pay(amount=3)" in wait["what"]
    assert f"resolve {wait['wait_id']} happened|did_not_happen|fail" in lampwork("job", job_id).out

    (lampwork.folder / "broken").unlink()
    resolved = lampwork("job", job_id, "resolve", wait["wait_id"], *words)

    assert (resolved.code, resolved.out) == (0, f"Resolved {wait['wait_id']}: {words[0]}.\n")
    ended = lampwork.job(job_id, "succeeded", "failed")
    assert ended["status"] == status
    assert lampwork.effects() == ["paid 3"] * effects
    if status == "failed":
        assert "nobody knows" in ended["error"]["message"]


def test_only_an_unknown_outcome_of_that_job_can_be_resolved(lampwork: Any) -> None:
    another = lampwork.queue("run", "asks")
    job_id = lampwork.queue("run", "asks")
    lampwork.worker()
    [wait] = lampwork.job(job_id, "suspended")["waiting_on"]

    for of_job in (job_id, another):
        refused = lampwork("job", of_job, "resolve", wait["wait_id"], "happened", "--json")
        assert (refused.code, refused.json["error"]["code"]) == (2, "wait_not_found")
    assert lampwork.json("job", job_id)["status"] == "suspended"


def test_a_job_whose_code_changed_goes_on_once_it_is_mended(lampwork: Any, stop: Any) -> None:
    file = lampwork.folder / "project.py"
    code = file.read_text()
    job_id = lampwork.queue("run", "asks")
    worker = lampwork.worker()
    lampwork.job(job_id, "suspended")
    stop(worker)

    file.write_text(code.replace('job.wait_for("go", str)', 'job.wait_for("other", str)'))
    worker = lampwork.worker()
    lampwork("job", job_id, "send", "other", '"x"')
    lampwork("job", job_id, "send", "go", '"yes"')
    [wait] = lampwork.job(job_id, "needs_attention")["waiting_on"]
    assert wait["kind"] == "attention"
    assert "`wait_for other` now" in wait["what"]
    stop(worker)

    file.write_text(code)
    lampwork.worker()
    assert lampwork("job", job_id, "go-on").code == 0

    assert lampwork.job(job_id, "succeeded")["output"] == "yes"
    assert lampwork.effects() == [f"asked by {job_id}", "answered yes"]


def test_a_failed_job_shows_its_traceback(lampwork: Any) -> None:
    job_id = lampwork("run", "fails", "--wait", "--json").json["job_id"]

    job = lampwork.json("job", job_id)
    assert job["error"]["code"] == "step_failed"
    assert 'raise ValueError("the shop is closed")' in job["traceback"]
    text = lampwork("job", job_id).out
    assert "Error (step_failed)\n  recipe fails raised ValueError: the shop is closed\n" in text
    assert 'raise ValueError("the shop is closed")' in text


def test_options_may_stand_before_the_id(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "asks", "--home", "state")

    shown = lampwork("job", "--json", "--home", "state", job_id)

    assert (shown.code, shown.json["job_id"]) == (0, job_id)
