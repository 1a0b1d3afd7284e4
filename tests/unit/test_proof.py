"""The proof, from the entries of a task: what it counts, and how it says so."""

from __future__ import annotations

from typing import Any

from lampwork.metadata.proof import Carried, Evidence, Proof
from lampwork.tasks.answer import TaskAnswer

METADATA = {"invoice_id": "INV-77", "plan": "gold"}
HIT = {"key": "invoice_id", "form": "plain", "source": "file po.pdf"}


def said(requests: int = 1, **scan: Any) -> tuple[str, dict[str, Any]]:
    return "said", {"usage": {"requests": requests}, "scan": {"parts": 1, **scan}}


def intent(call: str, *keys: str) -> tuple[str, dict[str, Any]]:
    return "intent", {"call": call, "skill": "approve", "metadata": list(keys)}


TOLD = ("told", {"withheld": {"pay": "the task has no metadata"}})
RESULT = ("result", {"call": "2.0"})


def evidence(*entries: tuple[str, dict[str, Any]], epochs: str = "") -> Evidence:
    """That of entries, each written under the epoch of the digit at its place."""
    found = Evidence()
    for (kind, body), epoch in zip(entries, epochs or "1" * len(entries), strict=True):
        found.take(kind, body, 1_790_000_000.5, int(epoch))
    return found


def test_what_a_request_carried_each_later_one_carries_until_it_is_gone():
    found = evidence(TOLD, said(2), said(3, hits=[HIT]), said(), said(gone=[HIT]), said())

    proof = found.proof(METADATA, [])

    assert (proof.requests, proof.clean) == (8, 4)
    assert proof.carried == (Carried("invoice_id", "file po.pdf", 4, ("plain",)),)
    assert str(proof) == (
        "8 calls: 4 clean, 4 carried invoice_id from file po.pdf; not scanned: plan"
    )
    assert proof.not_scanned == {"plan": "a common word"}
    assert proof.withheld == {"pay": "the task has no metadata"}


def test_of_the_only_key_it_is_said_without_its_name():
    found = evidence(TOLD, said(35), said(2, hits=[HIT]))

    proof = found.proof({"invoice_id": "INV-77"}, [])

    assert str(proof) == "37 calls: 35 clean, 2 carried it from file po.pdf"


def test_many_sources_are_counted_in_a_sentence_and_named_in_the_proof():
    hits = [HIT | {"source": f"file {n}.pdf"} for n in range(11)]
    proof = evidence(TOLD, said(hits=hits)).proof({"invoice_id": "INV-77"}, [])

    assert len(proof.carried) == 11
    assert str(proof).endswith(
        "1 carried it from file 5.pdf, 1 carried it from file 6.pdf, and 3 more"
    )


def test_a_claim_that_wrote_nothing_may_have_cut_a_request_off():
    whole = (TOLD, said(), intent("2.0", "invoice_id"), RESULT, said())

    def cut_off(epochs: str) -> int:
        return evidence(*whole, epochs=epochs).proof(METADATA, []).cut_off

    assert cut_off("11111") == 0
    assert cut_off("12222") == 1
    assert cut_off("14444") == 3
    assert cut_off("11122") == 0  # it ended while the skill was executing
    assert cut_off("11113") == 2
    assert cut_off("13355") == 2
    text = str(evidence(*whole, epochs="11112").proof({"invoice_id": "INV-77"}, []))
    assert text == "2 calls: 2 clean; 1 more may have been cut off by a crash"


def test_a_task_that_was_stopped_from_outside_may_have_a_request_under_way():
    def cut_off(*entries: tuple[str, dict[str, Any]], epoch: int) -> int:
        return evidence(*entries).proof(METADATA, [], stopped_at=epoch).cut_off

    assert cut_off(TOLD, said(), epoch=1) == 1
    assert cut_off(TOLD, said(), epoch=3) == 3
    assert cut_off(TOLD, said(), intent("2.0"), epoch=3) == 0
    assert cut_off(TOLD, said(), ("answered", {}), epoch=1) == 0
    assert cut_off(epoch=2) == 0  # it was never told its task
    unanswered = ("unanswered", {"usage": {}, "scan": {"parts": 1}})
    assert cut_off(TOLD, said(), unanswered, epoch=1) == 0
    assert cut_off(TOLD, said(), unanswered, epoch=2) == 1


def test_requests_without_a_scan_are_not_called_clean():
    old = ("said", {"usage": {"requests": 3}})

    proof = evidence(TOLD, old, said()).proof(METADATA, [])

    assert (proof.requests, proof.clean) == (4, 1)
    assert proof.not_scanned["3 of the calls"] == "they were made before there were scans"


def test_an_answer_from_before_there_were_proofs_can_be_read():
    record = {
        "output": "done",
        "response": "done",
        "status": "answered",
        "task_id": "t1.1",
        "conversation_id": "c1.1",
        "metadata": {"invoice_id": "INV-77"},
        "usage": {"requests": 2},
        "actions": [],
        "artifacts": [],
    }

    answer = TaskAnswer.from_json(record, None)

    assert answer.metadata == {"invoice_id": "INV-77"}
    assert str(answer.proof) == "2 calls; not scanned: 2 of the calls"


def test_a_proof_is_read_back_the_same():
    found = evidence(TOLD, said(hits=[HIT]), intent("2.0", "invoice_id"))
    proof = found.proof(METADATA, [["invoice_id"]])

    assert Proof.from_json(proof.to_json()) == proof
    assert proof.keys["invoice_id"][0].at.year == 2026
