"""`lampwork assign --budget … --deadline …`, and what is shown of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

ASSIGN = ("assign", "finance", "Check it.", "--metadata", "invoice_id=I-7", "--wait")


def test_a_budget_and_a_deadline_are_kept_and_shown(lampwork: Any) -> None:
    limits = ("--budget", "model_calls=9,dollars=0.5,seconds=60", "--deadline", "10m")
    done = lampwork.json(*ASSIGN, *limits)

    lines = lampwork("conversation", done["conversation_id"]).out.splitlines()
    [task] = lampwork.json("conversation", done["conversation_id"])["task_records"]

    budget = task["budget"]
    assert budget["limits"] == {"model_calls": 9, "dollars": 0.5, "seconds": 60.0}
    assert (budget["task"], budget["above"]) == (done["task_id"], None)
    assert budget["spent"] == {"tokens": 0, "dollars": 0.0, "model_calls": 2, "skill_calls": 1}
    assert budget["reserved"] == {"tokens": 0, "dollars": 0.0, "model_calls": 0}
    assert lines[3] == (
        f"    budget of {done['task_id']}: dollars 0.0 of 0.5, model calls 2 of 9, seconds 60"
    )
    assert re.fullmatch(r"    deadline \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+", lines[4])


def test_a_budget_that_is_met_fails_the_job_and_says_so(lampwork: Any) -> None:
    done = lampwork(*ASSIGN, "--budget", "model_calls=1", "--json")

    assert (done.code, done.json["error"]["code"]) == (1, "budget_exceeded")
    assert [each["status"] for each in done.json["error"]["fields"]["actions"]] == [
        "refused",
        "ok",
    ]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--budget", "tokens"), '"tokens" is not LIMIT=N'),
        (("--budget", "tokens=many"), '"many" is no number'),
        (("--budget", "tokens=-5"), "Budget(tokens=-5) is no limit"),
        (("--budget", "tokens=5,tokens=6"), "given once"),
        (
            ("--budget", "patience=5"),
            'no limit "patience". There are: tokens, dollars',
        ),
        (("--budget", "dolars=1"), 'no limit "dolars". Did you mean "dollars"?'),
        (("--deadline", "soon"), '"soon" is neither 90s'),
        (("--deadline", "2020-01-01T12:00"), "2020-01-01T12:00 has passed"),
    ],
)
def test_limits_that_are_none_are_bad_usage(
    lampwork: Any, options: tuple[str, ...], problem: str
) -> None:
    done = lampwork(*ASSIGN, *options)

    assert done.code == 2
    assert problem in done.err.replace("\n", " ")
    assert lampwork.effects() == []
    assert lampwork.json("jobs")["items"] == []
