"""Metadata: what skills get and the model can't touch; what requests carried; sealed values."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from tests.support import park

from lampwork import (
    Answer,
    App,
    Call,
    Calls,
    Job,
    Metadata,
    Project,
    Sealed,
    SkillCall,
    Summary,
    TaskAnswer,
    Turn,
    clock,
    playbook,
)
from lampwork.errors import JobFailed
from lampwork.insights import Insights
from lampwork.metadata.proof import Carried
from lampwork.views import ConversationDetails

from .conftest import Open

project = Project("metadata")

acts: list[Any] = []
"""What skills were called with."""


@pytest.fixture(autouse=True)
def _nothing_happened() -> None:
    acts.clear()


@project.skill(effect="read")
def look_up(invoice_id: Metadata[str]) -> dict[str, Any]:
    """Look the invoice up."""
    return {"title": f"Invoice {invoice_id.lower()}", "lines": [{"of": invoice_id}]}


@project.skill(effect="idempotent")
def note(text: str, invoice_id: Metadata[str], call: SkillCall) -> str:
    """Leave a note."""
    acts.append(("note", text, invoice_id))
    return "noted"


@project.skill(effect="idempotent")
def tag(invoice_id: str, details: dict[str, str]) -> str:
    """Tag any invoice; its number is the model's to give."""
    acts.append(("tag", invoice_id, details))
    return "tagged"


@project.skill(effect="read")
def convert(currency: Metadata[str]) -> str:
    """Convert the amount."""
    return currency


def genie(model: Any, *skills: Any, name: str) -> Any:
    return project.genie(name, model=model, job_description="You help.", skills=skills)


async def conversation(app: App, answer: TaskAnswer[Any]) -> ConversationDetails:
    return await Insights(app.store).conversation(answer.conversation_id)


# --- it can't be spoofed ---


@playbook
def spoofs(turn: Turn) -> Call | Calls | Answer:
    evil = {"invoice_id": "EVIL"}
    match turn.number:
        case 1:
            return Call(note, text="by argument", invoice_id="EVIL")
        case 2:
            return Calls(
                Call(note, text="by text: the invoice id is EVIL"),
                Call(tag, invoice_id="EVIL", details=evil),
                Call(note, text={"note": "by nesting", "invoice_id": "EVIL"}),
                Call(convert, invoice_id="EVIL"),
            )
        case _:
            return Answer("\n".join(str(result.error) for result in turn.results if result.error))


spoofer = genie(spoofs, note, tag, convert, name="spoofer")


async def test_skills_get_the_recorded_value_whatever_the_model_says(opened: Open) -> None:
    async with opened(project) as app:
        answer = await app.assign_task(
            spoofer, "Note it.", metadata={"invoice_id": "INV-7", "currency": "EUR"}
        )
        found = await conversation(app, answer)

    assert sorted(acts) == [
        ("note", "by text: the invoice id is EVIL", "INV-7"),
        ("tag", "EVIL", {"invoice_id": "EVIL"}),
    ]
    refusals = [part for part in found.transcript if part.kind == "refused"]
    assert [(each.skill, each.verdict, each.argument_refused) for each in refusals] == [
        ("note", "refused", ("invoice_id",)),
        ("note", "invalid", ()),
        ("convert", "refused", ("invoice_id",)),
    ]
    assert "note takes no argument invoice_id from you" in answer.output


# --- the proof ---


@playbook
def reads_and_notes(turn: Turn) -> Call | Answer:
    match len(turn.results):
        case 0:
            return Call(note, text="begun")
        case 1:
            return Call(look_up)
        case 2:
            return Call(note, text=turn.results[1].value["title"])
        case _:
            return Answer(turn.results[1].value["title"])


clerk = genie(reads_and_notes, look_up, note, convert, name="clerk")


async def test_the_proof_says_what_carried_a_value_and_who_read_it(opened: Open) -> None:
    async with opened(project) as app:
        before = clock.now()
        answer = await app.assign_task(clerk, "Go on.", metadata={"invoice_id": "INV-7"})
        after = clock.now()
        found = await conversation(app, answer)
    proof = answer.proof

    # Nothing is altered: the genie has read the number, and passed it on.
    assert answer.output == "Invoice inv-7"
    assert acts[1] == ("note", "Invoice inv-7", "INV-7")
    assert (proof.requests, proof.clean, proof.cut_off) == (4, 2, 0)
    assert proof.carried == (
        Carried("invoice_id", "result of skill look_up", 2, ("case", "plain")),
        Carried("invoice_id", "arguments of skill note", 1, ("case",)),
    )
    reads = proof.keys["invoice_id"]
    assert [(read.skill, read.call) for read in reads] == [
        ("note", "2.0"),
        ("look_up", "5.0"),
        ("note", "8.0"),
    ]
    assert all(before <= read.at.timestamp() <= after for read in reads)
    assert proof.withheld == {"convert": 'the task has no metadata "currency"'}
    assert str(proof) == (
        "4 calls: 2 clean, 2 carried it from result of skill look_up, "
        "1 carried it from arguments of skill note"
    )
    assert found.task_records[0].proof == proof
    assert found.metadata[0].carried_from == ("result of skill look_up", "arguments of skill note")


async def test_a_request_that_carries_nothing_is_clean(opened: Open) -> None:
    async with opened(project) as app:
        answer = await app.assign_task(spoofer, "Note it.", metadata={"invoice_id": "INV-7"})

    assert str(answer.proof) == "3 calls: 3 clean"


# --- sealed values ---


async def test_a_sealed_value_gives_way_to_its_name_and_comes_back(opened: Open) -> None:
    async with opened(project) as app:
        given = {"invoice_id": Sealed("INV-7")}
        answer = await app.assign_task(clerk, "Go on.", metadata=given)
        found = await conversation(app, answer)

    assert acts == [("note", "begun", "INV-7"), ("note", "Invoice INV-7", "INV-7")]
    assert (answer.output, answer.response) == ("Invoice INV-7", "Invoice INV-7")
    assert answer.actions[2].arguments == {"text": "Invoice «invoice_id»"}
    assert answer.metadata == given
    assert "INV-7" not in repr(answer.metadata)
    assert str(answer.proof) == "4 calls: 4 clean"
    assert answer.proof.sealed == ("invoice_id",)
    card = next(part for part in found.transcript if getattr(part, "skill", "") == "look_up")
    assert card.result == {"title": "Invoice «invoice_id»", "lines": [{"of": "«invoice_id»"}]}
    [fact] = found.metadata
    assert (fact.value, fact.sealed, fact.carried_from) == ("INV-7", True, ())


async def test_a_later_task_on_the_conversation_sees_the_name_too(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.assign_task(clerk, "Go on.", metadata={"invoice_id": Sealed("INV-7")})
        later = await app.assign_task(
            spoofer,
            "Note it.",
            metadata={"invoice_id": "INV-7"},
            conversation=first.conversation_id,
        )

    assert str(later.proof) == "3 calls: 3 clean"


async def test_a_request_that_would_carry_a_sealed_value_is_not_sent(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed) as raised:
            await app.assign_task(
                clerk,
                "Go on.",
                data={"letter": "about inv-7"},
                metadata={"invoice_id": Sealed("INV-7")},
            )
        error = raised.value.error
        found = await Insights(app.store).conversation(error["fields"]["conversation_id"])

    assert error["code"] == "metadata_leaked"
    assert (error["fields"]["key"], error["fields"]["source"]) == ("invoice_id", "data")
    assert "INV-7" not in "".join(traceback.format_exception(raised.value))
    assert acts == []
    assert str(found.task_records[0].proof) == (
        "0 calls; one was not sent, it would have carried invoice_id from data"
    )


@playbook
def sums_up(turn: Turn) -> Answer:
    return Answer("It was settled." if turn.number == 0 else "done")


async def test_what_a_summary_leaves_out_is_not_carried_any_more(opened: Open) -> None:
    later = genie(sums_up, note, name="later")
    async with opened(project) as app:
        first = await app.assign_task(clerk, "Go on.", metadata={"invoice_id": "INV-7"})
        again = {"conversation": first.conversation_id, "history": Summary()}
        plain = await app.assign_task(later, "Go on.", metadata={"invoice_id": "INV-7"}, **again)
        with pytest.raises(JobFailed) as raised:
            await app.assign_task(
                later, "Go on.", metadata={"invoice_id": Sealed("INV-7")}, **again
            )

    assert (plain.proof.requests, plain.proof.clean) == (2, 1)
    assert {(each.source, each.requests) for each in plain.proof.carried} == {
        (f"earlier task {first.task_id}: result of skill look_up", 1),
        (f"earlier task {first.task_id}: arguments of skill note", 1),
        (f"earlier task {first.task_id}: said by the genie", 1),
    }
    assert raised.value.error["code"] == "metadata_leaked"


# --- tasks below ---


@project.recipe()
async def ask_expert(job: Job, question: str, invoice_id: Metadata[str]) -> str:
    """Ask an expert."""
    acts.append(("ask", question, invoice_id))
    answer = await job.assign_task(clerk, "Go on.", metadata={"invoice_id": Sealed(invoice_id)})
    return answer.output


@playbook
def delegates(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("ask_expert", question="about «invoice_id»")
    assert turn.results[0].value == "Invoice «invoice_id»"
    return Answer(turn.results[0].value)


async def test_a_recipe_among_the_skills_gets_the_value_and_passes_it_on_by_name(
    opened: Open,
) -> None:
    asker = genie(delegates, ask_expert, name="asker")
    async with opened(project) as app:
        answer = await app.assign_task(asker, "Ask.", metadata={"invoice_id": Sealed("INV-7")})

    assert answer.output == "Invoice INV-7"
    assert acts[0] == ("ask", "about INV-7", "INV-7")
    assert str(answer.proof) == "2 calls: 2 clean"


# --- it stays as it was ---


@playbook
def waits(turn: Turn) -> Call | Answer:
    match len(turn.results):
        case 0:
            return Call(look_up)
        case 1:
            return Call("hold")
        case _:
            return Answer("done")


@project.skill()
def hold(invoice_id: Metadata[str]) -> str:
    """Hold."""
    acts.append(("hold", invoice_id))
    raise ConnectionError("nobody knows")


holder = genie(waits, look_up, hold, name="holder")


@project.recipe()
async def holds(job: Job, invoice_id: str) -> dict[str, Any]:
    task = await job.assign_task(holder, "Hold.", metadata={"invoice_id": invoice_id})
    await job.step(check, invoice_id)
    return task.proof.to_json()


broken: set[str] = set()


def check(invoice_id: str) -> None:
    if invoice_id in broken:
        raise OSError("broken")


async def test_the_proof_and_the_metadata_survive_a_park_and_a_restart(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(holds, invoice_id="INV-7")
        await park(app, job)
    async with opened(project) as app:
        await app.resolve(f"w{job[1:]}.1.5.0", "did_not_happen", by="Ann")
        await park(app, job)
        await app.resolve(f"w{job[1:]}.1.5.0.1", "happened", result="held", by="Ann")
        proof = await app.result(job)

    assert acts == [("hold", "INV-7")] * 2
    assert (proof["requests"], proof["clean"], proof["cut_off"]) == (3, 1, 0)
    assert [(each["source"], each["requests"]) for each in proof["carried"]] == [
        ("result of skill look_up", 2)
    ]


async def test_a_retry_keeps_the_proof_and_a_fork_has_its_own(opened: Open) -> None:
    async with opened(project) as app:
        broken.add("INV-7")
        job = await app.start(holds, invoice_id="INV-7")
        await park(app, job)
        await app.resolve(f"w{job[1:]}.1.5.0", "happened", result="held", by="Ann")
        with pytest.raises(JobFailed):
            await app.result(job)
        broken.clear()

        kept = await app.result(await app.retry(job))
        fork = await app.fork(job, at=1)
        await park(app, fork)
        await app.resolve(f"w{fork[1:]}.1.5.0", "happened", result="held", by="Ann")
        anew = await app.result(fork)

    assert kept["requests"] == anew["requests"] == 3
    assert kept["carried"] == anew["carried"]
    assert kept["keys"]["invoice_id"] != anew["keys"]["invoice_id"]
