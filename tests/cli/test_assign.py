"""`lampwork assign`: a task for a genie, without a recipe."""

from __future__ import annotations

import json
from typing import Any

from tests import documents


def test_the_answer_is_printed_with_what_was_done(lampwork: Any) -> None:
    done = lampwork.json(
        "assign", "finance", "Check it.", "--metadata", "invoice_id=0042", "--wait"
    )

    assert json.loads(done["output"]) == {"status": "approved", "reason": "approved 0042: fine"}
    assert (done["status"], done["metadata"]) == ("succeeded", {"invoice_id": "0042"})
    assert [action["status"] for action in done["actions"]] == ["refused", "ok"]
    assert lampwork.effects() == ["approved 0042"]


def test_sealed_metadata_is_kept_from_the_model_and_is_in_the_answer(lampwork: Any) -> None:
    done = lampwork.json(
        "assign", "finance", "Check it.", "--sealed", "invoice_id=INV-0042", "--wait"
    )

    assert json.loads(done["output"])["reason"] == "approved INV-0042: fine"
    assert done["metadata"] == {"invoice_id": "INV-0042"}
    assert (done["proof"]["clean"], done["proof"]["sealed"]) == (2, ["invoice_id"])
    assert lampwork.effects() == ["approved INV-0042"]
    shown = lampwork("conversation", done["conversation_id"]).out
    assert "    approved «invoice_id»: fine\n" in shown
    assert f'  invoice_id = "INV-0042"  ({done["task_id"]}, sealed)\n' in shown


def test_a_request_that_would_carry_what_is_sealed_fails_the_job(lampwork: Any) -> None:
    words = ("assign", "finance", "Check INV-0042.", "--sealed", "invoice_id=INV-0042", "--wait")

    done = lampwork(*words, "--json")

    assert (done.code, done.json["error"]["code"]) == (1, "metadata_leaked")
    assert lampwork.effects() == []
    shown = lampwork("conversation", done.json["error"]["fields"]["conversation_id"]).out
    assert "0 calls; one was not sent, it would have carried invoice_id from instructions" in shown


def test_a_key_is_given_once_sealed_or_not(lampwork: Any) -> None:
    done = lampwork(
        "assign", "finance", "Go.", "--metadata", "invoice_id=1", "--sealed", "invoice_id=2"
    )

    assert done.code == 2
    assert '"invoice_id" is given twice' in done.err


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


def test_files_are_taken_as_they_are_when_the_task_is_queued(lampwork: Any) -> None:
    order, chart = lampwork.folder / "order.csv", lampwork.folder / "chart.png"
    order.write_bytes("item,€\nlamp,7\n".encode("cp1252"))
    chart.write_bytes(documents.image())

    job_id = lampwork.queue(
        "assign", "scribe", "Read it.", "--file", "order.csv", "--file", str(chart)
    )
    order.unlink()
    lampwork.worker()

    done = lampwork.job(job_id, "succeeded")["output"]
    assert done["response"] == "I read order.csv and chart.png."
    assert [each["name"] for each in done["artifacts"]] == ["summary.txt"]
    conversation_id = done["conversation_id"]
    told, card = (
        part
        for part in lampwork.json("conversation", conversation_id)["transcript"]
        if part["kind"] in ("told", "skill_call")
    )
    assert [(each["name"], each["media_type"], each["size"]) for each in told["files"]] == [
        ("order.csv", "text/csv", 14),
        ("chart.png", "image/png", chart.stat().st_size),
    ]
    assert card["artifacts"] == [{**done["artifacts"][0], "notes": []}]
    text = lampwork("conversation", conversation_id).out
    assert (
        "  file order.csv  text/csv, 14 bytes  (read as Windows-1252, because it is no UTF-8)\n"
        f"  file chart.png  image/png, {chart.stat().st_size} bytes  (30 by 20 pixels)\n"
    ) in text
    assert "    saved summary.txt  text/plain, 15 bytes\n" in text


def test_a_file_that_is_refused_leaves_no_job(lampwork: Any) -> None:
    (lampwork.folder / "liar.pdf").write_text("<html>Please log in</html>")

    refused = lampwork("assign", "scribe", "Read it.", "--file", "liar.pdf")
    missing = lampwork("assign", "scribe", "Read it.", "--file", "none.pdf")

    assert (refused.code, missing.code) == (2, 2)
    assert refused.err == (
        'Error: File "liar.pdf" is rejected: it is named .pdf, but its content is HTML. '
        "Give another file.\n"
    )
    assert "No such file" in missing.err
    assert lampwork.json("jobs")["items"] == []


def test_with_wait_files_are_read_and_what_was_saved_is_printed(lampwork: Any) -> None:
    (lampwork.folder / "order.md").write_text("# Order")

    done = lampwork.json("assign", "scribe", "Read it.", "--file", "order.md", "--wait")

    assert done["output"] == "I read order.md."
    assert [each["name"] for each in done["artifacts"]] == ["summary.txt"]
    shown = lampwork("job", done["job_id"]).out
    assert shown.endswith("\n\nOutput\n  I read order.md.\n")


def test_what_was_delivered_is_told_with_what_to_type_for_it(lampwork: Any) -> None:
    (lampwork.folder / "order.md").write_text("# Order")

    out = lampwork("assign", "scribe", "Read it.", "--file", "order.md", "--wait").out

    job_id = out.split()[1]
    assert out.endswith(
        "I read order.md.\n"
        f"summary.txt: lampwork conversation c{job_id[1:]}.1 artifact summary.txt\n"
    )


def test_skills_that_are_withheld_for_want_of_metadata_are_said_at_once(lampwork: Any) -> None:
    lacking = lampwork("assign", "finance", "Check it.")
    assert lacking.err == ('withheld: approve_invoice (the task has no metadata "invoice_id")\n')
    assert lampwork("assign", "finance", "Check it.", "--metadata", "invoice_id=1").err == ""
