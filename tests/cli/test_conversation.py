"""`lampwork conversation ID`: the transcript."""

from __future__ import annotations

import re
from typing import Any


def test_a_transcript_tells_all_that_was_said_and_done(lampwork: Any) -> None:
    job_id = lampwork.json("run", "review", "--input", '{"invoice": "I-1"}', "--wait")["job_id"]
    conversation_id = f"c{job_id[1:]}.1"

    conversation = lampwork.json("conversation", conversation_id)

    told, _, refused, card, _, answered = conversation["transcript"]
    assert (told["kind"], told["instructions"], told["data"]) == (
        "told",
        "Check the invoice.",
        {"total": 12},
    )
    assert (refused["kind"], refused["argument_refused"]) == ("refused", ["invoice_id"])
    assert (card["kind"], card["skill"], card["arguments"]) == (
        "skill_call",
        "approve_invoice",
        {"text": "fine"},
    )
    assert (card["status"], card["result"], card["attempts"]) == ("ok", "approved I-1: fine", 1)
    assert card["key"].startswith(told["task"])
    assert (answered["kind"], answered["output"]) == (
        "answered",
        {"status": "approved", "reason": "approved I-1: fine"},
    )


def test_metadata_stands_apart_as_never_shown_to_the_model(lampwork: Any) -> None:
    job_id = lampwork.json("run", "review", "--input", '{"invoice": "I-1"}', "--wait")["job_id"]
    conversation_id = f"c{job_id[1:]}.1"

    [fact] = lampwork.json("conversation", conversation_id)["metadata"]
    text = lampwork("conversation", conversation_id).out

    assert fact == {
        "task": f"t{job_id[1:]}.1",
        "key": "invoice_id",
        "value": "I-1",
        "sealed": False,
        "carried_from": [],
    }
    transcript, _, metadata = text.partition("\nMetadata: ")
    assert 'invoice_id = "I-1"' in metadata
    assert "Lampwork shows it to no model" in metadata
    assert transcript.splitlines()[4:] == [
        f"Task for finance  {_time_in(transcript)}",
        "  Check the invoice.",
        "  data",
        "    {",
        '      "total": 12',
        "    }",
        "  skills: approve_invoice",
        "",
        '✗ approve_invoice(text="fine", invoice_id="EVIL")  refused',
        "    Refused: approve_invoice takes no argument invoice_id from you. It was not run.",
        "",
        _line_with("✓ approve_invoice", transcript),
        f"    idempotent, key t{job_id[1:]}.1.2.1, attempts 1",
        "    approved I-1: fine",
        "",
        "Answer",
        "  {",
        '    "status": "approved",',
        '    "reason": "approved I-1: fine"',
        "  }",
    ]


def test_the_proof_says_what_requests_carried_and_who_read_it(lampwork: Any) -> None:
    job_id = lampwork.json("run", "review", "--input", '{"invoice": "INV-77"}', "--wait")["job_id"]
    task_id = f"t{job_id[1:]}.1"

    found = lampwork.json("conversation", f"c{job_id[1:]}.1")
    lines = lampwork("conversation", f"c{job_id[1:]}.1").out.splitlines()

    words = "2 calls: 1 clean, 1 carried it from result of skill approve_invoice"
    [task] = found["task_records"]
    assert (task["proof_in_words"], task["proof"]["requests"]) == (words, 2)
    assert task["proof"]["keys"]["invoice_id"][0]["skill"] == "approve_invoice"
    assert found["metadata"][0]["carried_from"] == ["result of skill approve_invoice"]
    assert lines[-2] == f"Proof of {task_id}: {words}"
    assert re.fullmatch(
        r"  invoice_id was read by approve_invoice \(2\.1, \S+ \S+ \S+\)", lines[-1]
    )


def test_a_skill_that_failed_shows_its_traceback_to_people(lampwork: Any) -> None:
    job_id = lampwork.json("run", "carries", "--wait")["job_id"]

    lines = lampwork("conversation", f"c{job_id[1:]}.1").out.splitlines()

    said = next(
        i
        for i, line in enumerate(lines)
        if line == "    weigh failed: ValueError: no scales for P1"
    )
    assert lines[said + 1] == "      Traceback (most recent call last):"
    assert "      ValueError: no scales for P1" in lines[said + 2 :]
    assert '          raise ValueError(f"no scales for {parcel}")' in lines


def test_an_unknown_skill_call_shows_what_it_raised(lampwork: Any) -> None:
    job_id = lampwork.queue("assign", "bursar", "Pay.", "--metadata", "invoice_id=I-7")
    lampwork.worker()
    lampwork.job(job_id, "needs_attention")

    lines = lampwork("conversation", f"c{job_id[1:]}.1").out.splitlines()

    assert '          raise ConnectionError("the bank hung up")' in lines


def test_counts_and_durations_are_in_words(lampwork: Any) -> None:
    job_id = lampwork.json("run", "pays", "--wait")["job_id"]

    text = lampwork("conversation", f"c{job_id[1:]}.1").out

    assert "  2 turns, 1 skill call, begun " in text
    assert re.fullmatch(r"✓ pay\(amount=3\)  ok  [\d.]+ (ms|s)", _line_with("✓ pay", text))


def test_recorded_text_cannot_take_over_the_terminal(lampwork: Any) -> None:
    evil = "I-\x1b[2J\u202e\x9b1"
    job_id = lampwork.json(
        "assign", "finance", "Check it.", "--metadata", f"invoice_id={evil}", "--wait"
    )["job_id"]

    text = lampwork("conversation", f"c{job_id[1:]}.1").out

    assert "approved I-\\x1b[2J\\x202e\\x9b1: fine" in text
    as_json = lampwork("conversation", f"c{job_id[1:]}.1", "--json")
    assert as_json.json
    assert "I-\\u001b[2J\\u202e\\u009b1" in as_json.out
    for shown in (text, as_json.out):
        assert not set(shown) & set("\x1b\x9b\u202e")


def _line_with(start: str, text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def _time_in(text: str) -> str:
    return _line_with("Task for finance", text).partition("  ")[2]


def test_an_artifact_is_written_into_a_file_and_never_over_another(lampwork: Any) -> None:
    done = lampwork.json("assign", "scribe", "Read.", "--wait")
    conversation = done["conversation_id"]
    artifact = ("conversation", conversation, "artifact", "summary.txt")

    assert f"\n    lampwork {' '.join(artifact)}\n" in lampwork("job", done["job_id"]).out
    assert lampwork(*artifact).out == "Wrote summary.txt  text/plain, 15 bytes\n"
    assert (lampwork.folder / "summary.txt").read_bytes() == b"All of it said."
    again = lampwork(*artifact)
    assert (again.code, again.out) == (2, "")
    assert 'There is a file "summary.txt" already. Say where: --to FILE' in again.err
    (lampwork.folder / "other.txt").write_text("older, and longer than what is written")
    assert lampwork.json(*artifact, "--to", "other.txt")["file"].endswith("/other.txt")
    assert (lampwork.folder / "other.txt").read_bytes() == b"All of it said."


def test_an_artifact_that_there_is_not_is_said_with_those_that_there_are(lampwork: Any) -> None:
    done = lampwork.json("assign", "scribe", "Read.", "--wait")

    refused = lampwork("conversation", done["conversation_id"], "artifact", "sum.txt", "--json")

    assert (refused.code, refused.json["error"]["code"]) == (2, "artifact_not_found")
    assert refused.json["error"]["message"].endswith(
        'has no artifact "sum.txt". It has: summary.txt.'
    )


def test_a_conversation_is_written_as_a_recording_without_its_metadata(lampwork: Any) -> None:
    job_id = lampwork.json("run", "review", "--input", '{"invoice": "I-77"}', "--wait")["job_id"]
    conversation_id = f"c{job_id[1:]}.1"

    found = lampwork.json("conversation", conversation_id, "recording")
    written = lampwork("conversation", conversation_id, "recording", "--to", "said.json")

    [task] = found["tasks"]
    assert (found["lampwork_recording"], task["genie"]) == (1, "finance")
    assert {call["name"] for call in task["turns"][0]["calls"]} == {"approve_invoice"}
    assert "I-77" not in str(task["turns"][0]["calls"])
    assert written.out == "Wrote said.json  1 task\n"
