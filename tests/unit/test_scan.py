"""The scan of requests: every part of them is looked at, once, and what it finds is on record."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from lampwork import Metadata, Sealed
from lampwork.errors import MetadataLeaked, PlaybookFailed
from lampwork.metadata import scan
from lampwork.models import Answer, Call, Calls, Playbook, Turn, playbook
from lampwork.models.ask import Ask, Reply
from lampwork.store import schema

from .clerk import genie_of

CANARIES = {
    place: f"CANARY-{place}"
    for place in (
        *("job", "instructions", "data", "problem", "doc", "argument", "choice", "answer"),
        *("result", "error", "before", "came_before", "text", "thinking", "given", "again"),
    )
}


class Thinking(Playbook):
    """A playbook whose replies say and think something beside their calls."""

    async def respond(self, ask: Ask) -> Reply:
        reply = await super().respond(ask)
        said: list[Any] = [
            {"content": f"Hm, {CANARIES['thinking']}.", "part_kind": "thinking"},
            {"content": f"I see {CANARIES['text']}.", "part_kind": "text"},
        ]
        reply.raw["parts"] = said + reply.raw["parts"]
        return reply


class Said(BaseModel):
    mood: Literal["CANARY-answer", "fine"]


CARRIED = {
    ("canaries.job", "job description", 3),
    ("canaries.instructions", "instructions", 3),
    ("canaries.data", "data", 3),
    ("canaries.problem", "on_problem", 3),
    ("canaries.doc", "schema of skill look", 3),
    ("canaries.argument", "schema of skill look", 3),
    ("canaries.choice", "schema of skill look", 3),
    ("canaries.answer", "schema of answer", 3),
    ("canaries.before", "earlier task t0.1: instructions", 3),
    ("canaries.came_before", "earlier task t0.1: result of skill earlier", 3),
    ("canaries.given", "arguments of skill look", 2),
    ("canaries.result", "result of skill look", 2),
    ("canaries.error", "error of skill look", 2),
    ("canaries.text", "said by the genie", 2),
    ("canaries.thinking", "said by the genie", 2),
    ("canaries.again", "said by the genie", 1),
    ("canaries.again", "what was wrong with the answer", 1),
    ("canaries.answer", "what was wrong with the answer", 1),
}
"""Of each part of the requests: which value it carries, what it is, and in how many."""


@playbook
def before(turn: Turn) -> Call | Answer:
    return Call("earlier") if turn.number == 1 else Answer("done")


@playbook
def decides(turn: Turn) -> Calls | Answer:
    match turn.number:
        case 1:
            return Calls(Call("look", what=CANARIES["given"]), Call("look", what="fail"))
        case 2:
            return Answer({"mood": CANARIES["again"]})
        case _:
            return Answer({"mood": "fine"})


async def test_every_part_of_a_request_is_scanned(desk):
    def look(
        what: Annotated[str, Field(description=f"Not {CANARIES['argument']}.")],
        how: Literal["CANARY-choice", "other"] = "other",
    ) -> dict[str, Any]:
        if what == "fail":
            raise ValueError(CANARIES["error"])
        return {"found": [{CANARIES["result"]: True}]}

    look.__doc__ = f"Look, {CANARIES['doc']}."

    @desk.project.skill(effect="read")
    def reads(canaries: Metadata[dict[str, str]]) -> str:
        """Read them."""
        return "read"

    @desk.project.skill(effect="read")
    def earlier() -> str:
        """Look."""
        return CANARIES["came_before"]

    first = await desk.assign(
        genie_of(desk, before, [earlier], name="before"), f"Do {CANARIES['before']}.", job="j0"
    )
    genie = desk.project.genie(
        "whole",
        model=Thinking(decides.fn),
        job_description=f"You are {CANARIES['job']}.",
        skills=[desk.project.skill(effect="read")(look), reads],
    )
    answer = await desk.assign(
        genie,
        f"Decide {CANARIES['instructions']}.",
        data={"a": [CANARIES["data"].lower()]},
        on_problem=f"Say {CANARIES['problem']}.",
        metadata={"canaries": CANARIES},
        conversation=first.conversation_id,
        output=Said,
    )

    found = {(each.key, each.source, each.requests) for each in answer.proof.carried}
    assert found == CARRIED


def carrier(desk: Any, *results: Any, name: str = "lister") -> Any:
    """A genie that looks through results one after the other, and answers."""
    left = list(results)

    @desk.project.skill(effect="read", name=f"{name}_next")
    def next_one(order: Metadata[Any]) -> Any:
        """Look at the next one."""
        return left.pop(0)

    @playbook
    def looks(turn: Turn):
        return Call(next_one) if left else Answer("done")

    return genie_of(desk, looks, [next_one], name=name)


async def scans(desk: Any) -> list[Any]:
    return [body.get("scan") for kind, body in await desk.entries() if kind == "said"]


HIT = {"key": "order", "form": "plain", "source": "result of skill lister_next"}


async def test_a_request_is_scanned_for_what_it_adds_and_the_record_goes_with_the_response(desk):
    genie = carrier(desk, "nothing", {"id": "ORDER-17"}, "ORDER-17 again", "nothing")

    answer = await desk.assign(genie, metadata={"order": "ORDER-17"})

    # The job description, one skill, one ending, the instructions; then a call and its result.
    assert await scans(desk) == [
        {"parts": 4},
        {"parts": 2},
        {"parts": 2, "hits": [HIT]},
        {"parts": 2},
        {"parts": 2},
    ]
    assert str(answer.proof) == "5 calls: 2 clean, 3 carried it from result of skill lister_next"
    assert await desk.kinds() == ["told", *("said", "intent", "result") * 4, "said", "answered"]


async def test_a_task_without_metadata_is_not_scanned(desk):
    @playbook
    def answers(turn: Turn):
        return Answer("done")

    answer = await desk.assign(genie_of(desk, answers))

    assert await scans(desk) == [None]
    assert str(answer.proof) == "1 call, no metadata"
    assert answer.proof.clean == 1


async def test_values_that_are_not_telling_are_named_as_not_scanned(desk):
    answer = await desk.assign(carrier(desk, "7", "true"), metadata={"order": [7, True]})

    assert await scans(desk) == [None, None, None]
    assert str(answer.proof) == "3 calls; not scanned: order.0, order.1"
    assert answer.proof.not_scanned == {
        "order.0": "too short to be telling",
        "order.1": "true, false or null",
    }


async def test_each_form_is_named(desk):
    genie = carrier(desk, "order-17", "T1JERVItMTc=", "%4fRDER-17")

    answer = await desk.assign(genie, metadata={"order": "ORDER-17"})

    [carried] = answer.proof.carried
    assert (carried.forms, carried.requests) == (("base64", "case", "url"), 3)


async def test_a_large_text_is_scanned_in_a_thread(desk, monkeypatch):
    monkeypatch.setattr(scan, "_IN_A_THREAD", 10_000)
    genie = carrier(desk, "x" * 20_000 + "ORDER-17")

    answer = await desk.assign(genie, metadata={"order": "ORDER-17"})

    assert answer.proof.clean == 1
    assert [each.source for each in answer.proof.carried] == ["result of skill lister_next"]


async def test_parts_that_can_not_be_read_are_named(desk):
    class Secretive(Playbook):
        async def respond(self, ask: Ask) -> Reply:
            reply = await super().respond(ask)
            reply.raw["parts"].append({"signature": "c2VjcmV0", "part_kind": "thinking"})
            return reply

    genie = carrier(desk, "found")
    secretive = genie_of(desk, Secretive(genie.model.fn), genie.skills, name="secretive")
    answer = await desk.assign(secretive, metadata={"order": "ORDER-17"})

    assert (await scans(desk))[1] == {"parts": 4, "unread": ["encrypted thoughts of the genie"]}
    assert str(answer.proof) == ("2 calls: 2 clean; not scanned: encrypted thoughts of the genie")


# --- sealed values ---


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ({"instructions": "About order-17."}, "instructions"),
        ({"data": {"a": ["ORDER-17"]}}, "data"),
        ({"on_problem": "Name %4FRDER-17."}, "on_problem"),
    ],
)
async def test_a_sealed_value_in_a_request_stops_it_before_anything_is_sent(desk, where, source):
    asked: list[int] = []

    @playbook
    def answers(turn: Turn):
        asked.append(turn.number)
        return Answer("done")

    genie = genie_of(desk, answers, carrier(desk).skills, name="sealed")
    with pytest.raises(MetadataLeaked, match="Nothing was sent") as raised:
        await desk.assign(genie, metadata={"order": Sealed("ORDER-17")}, **where)

    assert (raised.value.key, raised.value.source) == ("order", source)
    assert raised.value.task_id == "t1.1"
    assert "ORDER-17" not in repr(raised.value.to_record())
    assert asked == []
    assert await desk.kinds() == ["told", "failed"]


async def test_what_the_model_says_of_a_sealed_value_stops_the_next_request(desk):
    @playbook
    def guesses(turn: Turn):
        return Call("lister_next", guess="ORDER-17")

    genie = genie_of(desk, guesses, carrier(desk).skills, name="guesser")
    with pytest.raises(MetadataLeaked) as raised:
        await desk.assign(genie, metadata={"order": Sealed("ORDER-17")})

    assert raised.value.source == "arguments of skill lister_next"


async def test_an_earlier_task_that_held_the_value_stops_the_first_request(desk):
    before = await desk.assign(
        carrier(desk, "for ORDER-17", name="before"), metadata={"order": "OTHER-1"}, job="j0"
    )

    with pytest.raises(MetadataLeaked) as raised:
        await desk.assign(
            carrier(desk, "x"),
            metadata={"order": Sealed("ORDER-17")},
            conversation=before.conversation_id,
        )

    assert raised.value.source == "earlier task t0.1: result of skill before_next"


# --- requests that came to nothing ---


async def test_a_request_that_failed_is_in_the_record_of_the_failed_task(desk):
    @playbook
    def breaks(turn: Turn):
        if turn.results:
            raise OSError("gone")
        return Call("lister_next")

    genie = genie_of(desk, breaks, carrier(desk, "ORDER-17").skills, name="breaking")
    with pytest.raises(PlaybookFailed):
        await desk.assign(genie, metadata={"order": "ORDER-17"})

    kind, body = (await desk.entries())[-1]
    assert (kind, body["scan"]) == ("failed", {"parts": 2, "hits": [HIT]})
    assert (await desk.row(schema.tasks, "t1.1")).status == "failed"
