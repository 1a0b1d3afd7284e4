"""`lampwork job ID retry|rerun|fork`: what will happen again is shown, and asked about, first."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def failed(lampwork: Any) -> str:
    """A job that has paid and then failed to deliver, which would work by now."""
    (lampwork.folder / "blocked").touch()
    job_id = lampwork.queue("run", "ships")
    lampwork.worker()
    lampwork.job(job_id, "failed")
    (lampwork.folder / "blocked").unlink()
    return job_id


def test_a_retry_pays_once_and_delivers(lampwork: Any, failed: str) -> None:
    assert f"Try again: lampwork job {failed} retry\n" in lampwork("job", failed).out

    done = lampwork("job", failed, "retry", "--yes")

    assert done.code == 0
    copy = lampwork.json("job", failed)["copies"][0]["job_id"]
    assert f"Job {copy} is a retry of job {failed}.\n" in done.out
    assert lampwork.job(copy, "succeeded")["retry_of"] == failed
    assert lampwork.effects() == ["paid 3", "delivered", "delivered"]
    shown = lampwork("job", copy).out
    assert f"  copied    retry of job {failed}\n" in shown
    accepted = next(
        line.split(maxsplit=1)[1]
        for line in lampwork("job", failed).out.splitlines()
        if line.startswith("  accepted")
    )
    assert f'  trigger   {{"at": "{accepted}", "kind": "cli"}}\n' in shown
    assert f"(kept from job {failed})" in shown
    original = lampwork("job", failed).out
    assert f"  {copy}  retry of job {failed}  succeeded\n" in original
    assert "Try again" not in original


def test_a_plan_is_shown_and_nothing_is_done(lampwork: Any, failed: str) -> None:
    plan = lampwork("job", failed, "rerun", "--plan")

    assert plan.code == 0
    assert plan.out == (
        f"A rerun of job {failed} (ships, failed)\n"
        "\n"
        "Has happened, or may have, and would again under a new key\n"
        "  ! skill pay  at_most_once  1 happened\n"
        "  · step deliver  idempotent  1 failed\n"
        "\n"
        "Made anew, as the recipe comes to it: 2 calls\n"
        "  1  task cashier  succeeded\n"
        "  2  step deliver  failed\n"
        "\n"
        "Kept as recorded: 0 calls\n"
    )
    as_json = lampwork.json("job", failed, "fork", "--at", "2", "--plan")
    assert [call["number"] for call in as_json["kept"]] == [1]
    assert [call["effects"][0]["what"] for call in as_json["again"]] == ["step deliver"]
    assert len(lampwork.json("jobs")["items"]) == 1


def test_a_person_is_asked_and_a_program_must_say_yes(lampwork: Any, failed: str) -> None:
    refused = lampwork("job", failed, "retry")
    assert (refused.code, "Add --yes" in refused.err) == (2, True)
    shown = lampwork.terminal("job", failed, "retry", typed="n\n", code=1)
    assert shown.index("Made anew") < shown.index("Retry it? [y/N]") < shown.index("Nothing was")
    assert len(lampwork.json("jobs")["items"]) == 1

    lampwork.terminal("job", failed, "retry", typed="y\n")

    assert len(lampwork.json("jobs")["items"]) == 2
    assert "There is a retry of it already" in lampwork("job", failed, "retry", "--plan").out


def test_what_cannot_be_copied_says_why(lampwork: Any, failed: str) -> None:
    nowhere = lampwork("job", failed, "fork", "--at", "9", "--yes", "--json")
    assert (nowhere.code, nowhere.json["error"]["code"]) == (2, "input_invalid")
    assert "Its calls: 1 task cashier; 2 step deliver." in nowhere.json["error"]["message"]
    copy = lampwork.json("job", failed, "retry", "--yes")["job_id"]
    lampwork.job(copy, "succeeded")
    again = lampwork("job", copy, "retry", "--yes")
    assert (again.code, "it has succeeded" in again.err) == (1, True)


def test_a_fork_without_a_place_is_told_the_calls(lampwork: Any, failed: str) -> None:
    refused = lampwork("job", failed, "fork", "--json")

    assert (refused.code, refused.json["error"]["code"]) == (2, "usage")
    assert refused.json["error"]["message"] == (
        f"Say at which call of job {failed}: --at N. Its calls: 1 task cashier; 2 step deliver."
    )
    assert len(lampwork.json("jobs")["items"]) == 1
