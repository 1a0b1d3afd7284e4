"""`lampwork assign`: a task for a genie, without a recipe."""

from __future__ import annotations

import json
from typing import Any


def test_the_answer_is_printed_with_what_was_done(lampwork: Any) -> None:
    done = lampwork.json(
        "assign", "finance", "Check it.", "--metadata", "invoice_id=0042", "--wait"
    )

    assert json.loads(done["output"]) == {"status": "approved", "reason": "approved 0042: fine"}
    assert (done["status"], done["metadata"]) == ("succeeded", {"invoice_id": "0042"})
    assert [action["status"] for action in done["actions"]] == ["refused", "ok"]
    assert lampwork.effects() == ["approved 0042"]


def test_the_answer_fits_the_schema_that_was_given(lampwork: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"status": {"type": "string"}, "reason": {"type": "string"}},
        "required": ["status", "reason"],
        "additionalProperties": False,
    }
    (lampwork.folder / "verdict.json").write_text(json.dumps(schema))

    done = lampwork.json(
        "assign",
        "project.py",
        "finance",
        "Check it.",
        *("--metadata", "invoice_id=7", "--data", '{"total": 3}', "--output", "verdict.json"),
        "--wait",
    )

    assert done["output"] == {"status": "approved", "reason": "approved 7: fine"}


def test_without_wait_a_worker_does_it(lampwork: Any) -> None:
    job_id = lampwork.queue("assign", "cashier", "Pay it.")
    assert lampwork.effects() == []

    lampwork.worker()

    assert lampwork.job(job_id, "succeeded")["output"]["response"] == "done: receipt for 3"


def test_a_conversation_is_continued(lampwork: Any) -> None:
    first = lampwork.json("assign", "cashier", "Pay it.", "--wait")
    again = lampwork.json(
        "assign", "cashier", "Once more.", "--conversation", first["conversation_id"], "--wait"
    )

    assert again["conversation_id"] == first["conversation_id"]
    [conversation] = lampwork.json("conversations")["items"]
    assert (conversation["tasks"], conversation["job"]) == (2, again["job_id"])


def test_a_genie_that_declines_fails_the_job(lampwork: Any) -> None:
    done = lampwork("assign", "cashier", "Pay in gold.", "--wait", "--json")

    assert (done.code, done.json["status"]) == (1, "failed")
    assert done.json["error"]["code"] == "task_not_completed"
    assert done.json["error"]["fields"]["missing"] == ["gold"]
