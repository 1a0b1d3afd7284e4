"""`lampwork job ID`: what it waits for, down to the person, and what can be done about it."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lampwork.cli import output
from lampwork.cli.options import Options
from lampwork.cli.screen.tree import remedies
from lampwork.views import WaitingOn


def test_a_chain_of_jobs_is_shown_down_to_what_it_waits_for(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "calls_asks")
    lampwork.worker()
    lampwork.job(f"{job_id}.1", "suspended")
    job = lampwork.job(job_id, "suspended")

    [child] = job["waiting_on"]
    [event] = child["waiting_on"]
    assert (child["kind"], child["job"]) == ("child", f"{job_id}.1")
    assert (event["kind"], event["subject"]["name"], event["until"]) == ("event", "go", None)

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
    resolve = f"    lampwork job {job_id} resolve {wait['wait_id']}"
    text = lampwork("job", job_id).out
    assert [line for line in text.splitlines() if line.startswith("    lampwork")] == [
        f"{resolve} happened --result JSON",
        f"{resolve} did_not_happen",
        f"{resolve} fail --reason TEXT",
    ]
    assert "|" not in text

    (lampwork.folder / "broken").unlink()
    resolved = lampwork("job", job_id, "resolve", wait["wait_id"], *words)

    assert (resolved.code, resolved.out) == (0, f"Resolved {wait['wait_id']}: {words[0]}.\n")
    ended = lampwork.job(job_id, "succeeded", "failed")
    assert ended["status"] == status
    assert lampwork.effects() == ["paid 3"] * effects
    if status == "failed":
        assert "nobody knows" in ended["error"]["message"]


def unknown(lampwork: Any, stop: Any) -> tuple[str, Any]:
    """A job that nobody executes, and the question about its payment."""
    (lampwork.folder / "broken").touch()
    job_id = lampwork.queue("run", "pays")
    worker = lampwork.worker()
    [wait] = lampwork.job(job_id, "needs_attention")["waiting_on"]
    assert stop(worker).code == 0
    (lampwork.folder / "broken").unlink()
    return job_id, wait


@pytest.mark.timeout(180)  # several workers, one after another
def test_a_word_that_nothing_has_taken_up_is_shown_and_its_reason_kept(
    lampwork: Any, stop: Any
) -> None:
    job_id, wait = unknown(lampwork, stop)
    key = wait["subject"]["key"]
    assert f"# look where it acts, for key {key}, begun 20" in lampwork("job", job_id).out
    words = ("happened", "--result", '"seen"', "--reason", "by phone")
    lampwork("job", job_id, "resolve", wait["wait_id"], *words)

    [word] = lampwork.json("job", job_id)["waiting_on"]
    assert (word["kind"], word["subject"]["said"]["reason"]) == ("answered", "by phone")
    shown = lampwork("job", job_id).out
    assert " has said of pay(amount=3): happened, because by phone, for " in shown

    lampwork.worker()
    task = lampwork.job(job_id, "succeeded")["calls"][0]["task"]
    assert task["skill_calls"][0]["reason"] == "by phone"
    by = task["skill_calls"][0]["source"]
    transcript = lampwork("conversation", task["conversation_id"]).out
    assert f"  says {by}: by phone\n" in transcript


@pytest.mark.timeout(180)  # several workers, one after another
def test_a_word_that_came_before_the_cancellation_is_on_its_record(
    lampwork: Any, stop: Any
) -> None:
    job_id, wait = unknown(lampwork, stop)
    words = ("did_not_happen", "--reason", "the bank has none")
    lampwork("job", job_id, "resolve", wait["wait_id"], *words)
    lampwork("job", job_id, "cancel")
    lampwork.worker()

    error = lampwork.job(job_id, "cancelled")["error"]

    assert error["message"].endswith(" has said: did not happen, the bank has none")
    assert "Nobody knows" not in error["message"]
    assert error["fields"]["effects"][0]["said"]["reason"] == "the bank has none"
    assert lampwork.effects() == ["paid 3"]


@pytest.mark.timeout(180)
def test_a_word_on_an_earlier_attempt_says_nothing_about_the_last_one(lampwork: Any) -> None:
    (lampwork.folder / "broken").touch()
    job_id = lampwork.queue("run", "pays")
    lampwork.worker()
    [first] = lampwork.job(job_id, "needs_attention")["waiting_on"]
    lampwork("job", job_id, "resolve", first["wait_id"], "did_not_happen")
    lampwork.eventually(
        lambda: [
            each
            for each in lampwork.json("job", job_id)["waiting_on"]
            if each["kind"] == "resolution" and each["wait_id"] != first["wait_id"]
        ]
    )

    lampwork("job", job_id, "cancel")
    error = lampwork.job(job_id, "cancelled")["error"]

    assert ". Nobody knows whether this happened: pay (" in error["message"]
    assert "said" not in error["fields"]["effects"][0]


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
    assert lampwork("jobs").out.splitlines()[1].endswith("  code changed at call 2")
    shown = lampwork("job", job_id).out
    assert re.search(r"^  a person, for [^:]*: code changed at call 2: call 2 is", shown, re.M)
    assert ", for" not in shown.partition("code changed")[2].partition("\n")[0]
    stop(worker)

    file.write_text(code)
    going_on = lampwork("job", job_id, "go-on")
    lampwork.worker()
    assert going_on.code == 0
    assert "Start one: lampwork worker" in going_on.out

    assert lampwork.job(job_id, "succeeded")["output"] == "yes"
    assert lampwork.effects() == [f"asked by {job_id}", "answered yes"]


def test_what_to_do_about_a_stopped_job_depends_on_why_it_was_stopped() -> None:
    def said(why: str) -> list[str]:
        wait = WaitingOn(kind="attention", what=why, since=datetime.now(UTC))
        return remedies(Options(Path("state"), as_json=False), "j1", wait)

    go_on = "lampwork job j1 go-on --home state"
    check = "lampwork upgrade-check --home state"
    assert said("code changed at call 2: it differs") == [
        f"# mend its code, look at it with {check}, restart the worker, then:",
        go_on,
    ]
    assert said("its process crashed 5 times while it was executing") == [
        "# find out what ended its process, then:",
        go_on,
    ]


def test_a_failed_job_shows_its_traceback(lampwork: Any) -> None:
    job_id = lampwork("run", "fails", "--wait", "--json").json["job_id"]

    job = lampwork.json("job", job_id)
    assert job["error"]["code"] == "step_failed"
    assert 'raise ValueError("the shop is closed")' in job["traceback"]
    text = lampwork("job", job_id).out
    assert "Error (step_failed)\n  recipe fails raised ValueError: the shop is closed\n" in text
    assert 'raise ValueError("the shop is closed")' in text


def test_a_step_that_failed_shows_the_traceback_of_its_own_code(lampwork: Any) -> None:
    job_id = lampwork("run", "drops", "--wait", "--json").json["job_id"]

    assert 'raise ConnectionError("it fell")' in lampwork.json("job", job_id)["traceback"]
    assert 'raise ConnectionError("it fell")' in lampwork("job", job_id).out


def test_a_child_that_failed_shows_why(lampwork: Any) -> None:
    job_id = lampwork("run", "delegates", "--wait", "--json").json["job_id"]

    [call] = lampwork.json("job", job_id)["calls"]
    [child] = call["jobs"]
    text = lampwork("job", job_id).out

    assert child["error"]["code"] == "step_failed"
    [line] = [line for line in text.splitlines() if f"✗ {job_id}.1  drops  failed" in line]
    assert line.endswith("it fell")


def test_an_unknown_step_is_marked_and_its_waits_name_the_childs_command(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "risks_below")
    lampwork.worker()
    [wait] = lampwork.job(f"{job_id}.1", "needs_attention")["waiting_on"]

    assert "? 1  step drop" in lampwork("job", f"{job_id}.1").out
    refused = lampwork("job", job_id, "resolve", wait["wait_id"], "happened")
    assert refused.code == 2
    assert f"lampwork job {job_id}.1 resolve {wait['wait_id']}" in refused.err


def test_the_task_of_an_unknown_outcome_is_told_by_its_metadata(lampwork: Any) -> None:
    (lampwork.folder / "broken").touch()
    job_id = lampwork.queue("assign", "bursar", "Pay.", "--metadata", "invoice_id=I-7")
    lampwork.worker()
    [wait] = lampwork.job(job_id, "needs_attention")["waiting_on"]

    assert wait["metadata"] == {"invoice_id": "I-7"}
    assert "whether settle(amount=3) for invoice_id='I-7' happened" in lampwork("job", job_id).out


def test_where_no_worker_is_what_is_done_to_a_job_says_how_to_start_one(lampwork: Any) -> None:
    (lampwork.folder / "broken").touch()
    asks, pays, changed = (lampwork.queue("run", name) for name in ("asks", "pays", "asks"))
    worker = lampwork.worker()
    [wait] = lampwork.job(pays, "needs_attention")["waiting_on"]
    lampwork.job(asks, "suspended")
    assert "worker" not in lampwork("job", asks, "send", "later", '"x"').out
    worker.kill()
    worker.wait()

    needed = "No worker executes the jobs of shop now. Start one: lampwork worker\n"
    assert lampwork("job", asks, "send", "later", '"x"').out.endswith(needed)
    without = lampwork("job", pays, "resolve", wait["wait_id"], "happened")
    assert (without.code, "--result. It is a text." in without.err) == (2, True)
    words = ("resolve", wait["wait_id"], "happened", "--result", '"seen"')
    assert lampwork("job", pays, *words).out.endswith(needed)
    assert lampwork("job", changed, "cancel").out.endswith(needed)


def test_options_may_stand_before_the_id(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "asks", "--home", "state")

    shown = lampwork("job", "--json", "--home", "state", job_id)

    assert (shown.code, shown.json["job_id"]) == (0, job_id)


def test_an_event_that_nothing_waits_for_is_kept_and_that_is_said(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "asks")
    lampwork.worker()
    lampwork.job(job_id, "suspended")

    sent = lampwork("job", job_id, "send", "goo", '"now"')

    assert sent.code == 0
    assert sent.err == f'Job {job_id} waits for "go"; "goo" is kept until it is waited for.\n'
    assert lampwork("job", job_id, "send", "go", '"now"').err == ""


def test_a_job_took_as_long_as_it_ran_wherever_that_is_said(lampwork: Any) -> None:
    job_id = lampwork.json("run", "add", "--input", '{"a": 1}', "--wait")["job_id"]
    database = lampwork.folder / ".lampwork" / "lampwork.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE jobs SET created_at = started_at - 10")
        connection.commit()

    job = lampwork.json("job", job_id)
    [ended] = [line for line in lampwork("job", job_id).out.splitlines() if "  ended " in line]

    started_at, ended_at = (
        datetime.fromisoformat(job[f"{each}_at"]) for each in ("started", "ended")
    )
    assert ended.endswith(f", after {output.span(started_at, ended_at)}")


def test_what_a_cancelled_job_left_open_has_ended_with_it(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "asks")
    lampwork.worker()
    lampwork.job(job_id, "suspended")
    lampwork("job", job_id, "cancel")
    job = lampwork.job(job_id, "cancelled")

    call = job["calls"][-1]
    assert (call["name"], call["status"], call["ended_at"]) == ("go", "cancelled", job["ended_at"])
    [line] = [line for line in lampwork("job", job_id).out.splitlines() if "wait_for go" in line]
    assert re.fullmatch(r"  ✗ 2  wait_for go  [\d.]+ m?s  cancelled", line)


def test_a_long_error_is_shown_once_in_full(lampwork: Any) -> None:
    (lampwork.folder / "project.py").write_text(
        "from lampwork import Job, Project\n"
        "project = Project('long')\n"
        "WHY = 'it broke\\n' + 'badly ' * 60 + 'at the end'\n"
        "def breaks() -> None:\n"
        "    raise ValueError(WHY)\n"
        "@project.recipe()\n"
        "async def below(job: Job) -> None:\n"
        "    await job.step(breaks)\n"
        "@project.recipe()\n"
        "async def above(job: Job) -> None:\n"
        "    await job.call(below)\n"
    )
    job_id = lampwork("run", "above", "--wait", "--json").json["job_id"]

    for shown in (job_id, f"{job_id}.1"):
        text = lampwork("job", shown).out
        assert text.count("at the end") == 1, text
        assert text.partition("\nError (")[2].count("at the end") == 1
        assert text.count("it broke") >= 3
    assert "\n  ValueError: it broke …\n" in lampwork("job", f"{job_id}.1").out


def test_only_what_was_stopped_goes_on(lampwork: Any) -> None:
    done = lampwork.json("run", "add", "--input", '{"a": 1}', "--wait")["job_id"]
    queued = lampwork.queue("run", "asks")

    assert lampwork("job", done, "go-on").err == (
        f"Error: Job {done} has succeeded; there is nothing to go on with.\n"
    )
    assert lampwork("job", queued, "go-on").err == (
        f"Error: Job {queued} is queued and was not stopped; there is nothing to go on with.\n"
    )


@pytest.mark.parametrize("words", [(), ("happened",), ("did_not_happen", "--reason", "seen")])
def test_to_resolve_without_a_wait_names_those_that_there_are(
    lampwork: Any, words: tuple[str, ...]
) -> None:
    job_id = lampwork.queue("run", "risks")
    lampwork.worker()
    [wait] = lampwork.job(job_id, "needs_attention")["waiting_on"]

    refused = lampwork("job", job_id, "resolve", *words)

    assert refused.code == 2
    assert f"Name the wait, and what became of it. Job {job_id} has: {wait['wait_id']} (" in (
        refused.err.replace("\n", " ")
    )
    assert lampwork("job", job_id, "resolve", wait["wait_id"]).code == 2
    nothing = lampwork("job", lampwork.queue("run", "holds_on"), "resolve").err
    assert "has: none whose outcome is unknown" in nothing
