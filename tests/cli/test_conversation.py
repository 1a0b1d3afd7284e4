"""`lampwork conversation ID`: the transcript."""

from __future__ import annotations

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
        "shown_to_model": False,
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


def test_recorded_text_cannot_take_over_the_terminal(lampwork: Any) -> None:
    evil = "I-\x1b[2J\u202e1"
    job_id = lampwork.json(
        "assign", "finance", "Check it.", "--metadata", f"invoice_id={evil}", "--wait"
    )["job_id"]

    text = lampwork("conversation", f"c{job_id[1:]}.1").out

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "approved I-\\x1b[2J\\x202e1: fine" in text


def _line_with(start: str, text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def _time_in(text: str) -> str:
    return _line_with("Task for finance", text).partition("  ")[2]
