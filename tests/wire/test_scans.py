"""What the scan looks at is what is really sent: canaries in every part of a request."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

import pytest
from pydantic import BaseModel, Field

from lampwork import File, Metadata, Model, Sealed
from lampwork.errors import JobFailed
from lampwork.metadata.needles import Matcher

from .wires import EACH_WIRE, THINKING, Verdict, asks, genie, model_at, project, says

PLACES = (
    *("job", "skill", "doc", "argument", "choice", "field", "answer"),
    *("instructions", "data", "problem", "file", "cell"),
    *("result", "nested", "error", "text", "thought", "given", "again", "unknown"),
    *("before", "found", "said"),
)
CANARIES = {place: f"CANARY-{place}-42" for place in PLACES}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Said(BaseModel):
    mood: Literal["CANARY-answer-42", "fine"] = Field(description=f"Not {CANARIES['field']}.")


@project.skill(effect="read", name=CANARIES["skill"])
def look(
    what: Annotated[str, Field(description=f"Not {CANARIES['argument']}.")],
    how: Literal["CANARY-choice-42", "other"] = "other",
) -> list[Any]:
    """Look, CANARY-doc-42."""
    if what == "fail":
        raise ValueError(CANARIES["error"])
    return [{"found": CANARIES["result"], "in": {"some": [json.dumps([CANARIES["nested"]])]}}]


@project.skill(effect="read")
def find(what: str) -> str:
    """Find."""
    return CANARIES["found"]


@project.skill(effect="read")
def reads(canaries: Metadata[dict[str, str]]) -> str:
    """Read them."""
    return "read"


def genie_with(name: str, model: Model, *skills: Any) -> Any:
    return project.genie(
        name, model=model, job_description=f"You are {CANARIES['job']}.", skills=skills
    )


def earlier(text: str, turn: int, **response: Any) -> dict[str, Any]:
    return {"match": {"userMessage": text, "sequenceIndex": turn}, "response": response}


def replies() -> list[dict[str, Any]]:
    thought = {"reasoning": f"Is it {CANARIES['thought']}?", "reasoningSignature": "SIG-1"}
    found = {"id": "call_0", "name": "find", "arguments": {"what": "it"}}
    return [
        earlier("Begin", 0, toolCalls=[found]),
        earlier("Begin", 1, content=f"It is {CANARIES['said']}."),
        asks(
            0,
            (CANARIES["skill"], {"what": CANARIES["given"]}),
            (CANARIES["skill"], {"what": "fail"}),
            (CANARIES["unknown"], {"x": 1}),
            content=f"I see {CANARIES['text']}.",
            **thought,
        ),
        asks(1, ("answer", {"mood": CANARIES["again"]})),
        asks(2, ("answer", {"mood": "fine"})),
    ]


@pytest.mark.planted
@EACH_WIRE
async def test_the_proof_names_every_part_that_carries_a_value(aimock, tmp_path, monkeypatch, wire):
    scanned: list[str] = []
    look_at = Matcher.look
    monkeypatch.setattr(
        Matcher, "look", lambda self, text: scanned.append(text) or look_at(self, text)
    )
    server = aimock(*replies(), wire=wire)
    model = model_at(server.url, wire, settings=THINKING[wire])
    async with project.open(tmp_path / "home") as app:
        before = await app.assign_task(
            genie_with(f"before-{wire}", model, find), f"Begin with {CANARIES['before']}."
        )
        answer = await app.assign_task(
            genie_with(f"whole-{wire}", model, look, reads),
            f"Check {CANARIES['instructions']}.",
            data={"a": [CANARIES["data"]], "<b>": 'x "y" & z\n'},
            on_problem=f"Say {CANARIES['problem']}.",
            files=[
                File(f"{CANARIES['file']}.csv", f"n,what\n1,{CANARIES['cell']}\n".encode()),
                File("photo.png", PIXEL),
            ],
            metadata={"canaries": CANARIES},
            conversation=before.conversation_id,
            output=Said,
        )

    by_place: dict[str, set[str]] = {}
    for each in answer.proof.carried:
        by_place.setdefault(each.key.removeprefix("canaries."), set()).add(each.source)
    assert by_place == carriers(before.task_id)
    thoughts = "encrypted thoughts of the genie"
    unread = {"image photo.png"}
    if wire == "openai":
        unread |= {thoughts, f"earlier task {before.task_id}: {thoughts}"}
    assert answer.proof.not_scanned == dict.fromkeys(unread, "it can't be read")
    sent = "".join(request.text for request in server.sent)
    assert [place for place, canary in CANARIES.items() if canary not in sent] == []
    assert all_else(server.sent[2:], scanned) == []


def carriers(before: str) -> dict[str, set[str]]:
    """Which parts of the requests carry each value, after that earlier task."""
    skill, before_it = CANARIES["skill"], f"earlier task {before}"
    wrong = "what was wrong with the answer"
    return {
        "job": {"job description"},
        "skill": {f"{what} of skill {skill}" for what in ("schema", "arguments", "error")}
        | {f"error of skill {CANARIES['unknown']}"},
        "doc": {f"schema of skill {skill}"},
        "argument": {f"schema of skill {skill}"},
        "choice": {f"schema of skill {skill}"},
        "field": {"schema of answer"},
        "answer": {"schema of answer", wrong},
        "instructions": {"instructions"},
        "data": {"data"},
        "problem": {"on_problem"},
        "file": {f"name of file {CANARIES['file']}.csv"},
        "cell": {f"file {CANARIES['file']}.csv"},
        "result": {f"result of skill {skill}"},
        "nested": {f"result of skill {skill}"},
        "error": {f"error of skill {skill}"},
        "text": {"said by the genie"},
        "thought": {"said by the genie"},
        "given": {f"arguments of skill {skill}"},
        "again": {"said by the genie", wrong},
        "unknown": {f"{what} of skill {CANARIES['unknown']}" for what in ("arguments", "error")},
        "before": {f"{before_it}: instructions"},
        "found": {f"{before_it}: result of skill find"},
        "said": {f"{before_it}: said by the genie"},
    }


def all_else(requests: Sequence[Any], scanned: Sequence[str]) -> list[str]:
    """What was sent and not scanned, but for words of the protocol, the image, and what frames a
    file."""
    known = "\n".join(scanned)
    sent = {text for request in requests for text in texts(request.body) if decoded(text) != PIXEL}
    missed = {text for text in sent if text not in known}
    return [text for text in missed if not _OF_THE_WIRE.fullmatch(text)]


_OF_THE_WIRE = re.compile(
    r"[A-Za-z]+([_./][A-Za-z]+)*|base64|gpt-5-mini|claude-opus-4-8|"
    r'<file name="[^"]*" type="[^"]*"( note="[^"]*")?/?>|</file>|'
    + base64.b64encode(b"skip_thought_signature_validator").decode()
)


def decoded(text: str) -> bytes | None:
    """What a text in base64 holds."""
    try:
        return base64.urlsafe_b64decode(text.rpartition(",")[2].replace("+", "-").replace("/", "_"))
    except ValueError:
        return None


def texts(value: Any) -> Iterator[str]:
    """Each line of each text that a request holds, decoded, JSON in texts too."""
    match value:
        case str():
            try:
                inner = json.loads(value)
            except ValueError:
                inner = None
            if isinstance(inner, dict | list):
                yield from texts(inner)
            else:
                yield from html.unescape(value).splitlines()
        case dict():
            for key, inner in value.items():
                yield key
                yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)
        case _:
            pass


@EACH_WIRE
async def test_the_model_sees_no_trace_of_a_skill_that_is_withheld(aimock, tmp_path, wire):
    server = aimock(
        asks(0, ("note", {"text": "all the same", "invoice_id": "EVIL"})),
        says("Fine.", 1),
        wire=wire,
    )

    async with project.open(tmp_path / "home") as app:
        answer = await app.assign_task(genie(model_at(server.url, wire)), "Check.")

    assert answer.proof.withheld == {"note": 'the task has no metadata "invoice_id"'}
    assert "purchase_order" in server.sent[0].text
    assert not re.search("Leave a note|invoice_id|withheld", server.sent[0].text)
    assert "There is no skill" in server.sent[1].text
    assert not re.search("Leave a note|withheld", server.sent[1].text)


# --- sealed ---

SECRET = "CANARY-Jörg/42"


@project.skill(effect="read")
def leaky(invoice_id: Metadata[str]) -> dict[str, Any]:
    """Look it up."""
    return {
        "plain": f"for {invoice_id}.",
        "case": invoice_id.upper(),
        "json": json.dumps({"of": [invoice_id]}),
        "url": f"/find?id={quote(invoice_id, safe='')}",
        "base64": base64.b64encode(f"id={invoice_id};".encode()).decode(),
        invoice_id: 1,
    }


@project.skill(effect="idempotent")
def failing(invoice_id: Metadata[str]) -> str:
    """Do it."""
    raise ValueError(f"{invoice_id} is closed")


@project.skill(effect="idempotent")
def settle(text: str, invoice_id: Metadata[str]) -> str:
    """Settle it."""
    settled.append((text, invoice_id))
    return f"settled {invoice_id}"


settled: list[tuple[str, str]] = []


@EACH_WIRE
async def test_no_request_carries_a_sealed_value(aimock, tmp_path, wire):
    settled.clear()
    server = aimock(
        asks(0, ("leaky", {}), ("failing", {})),
        asks(1, ("settle", {"text": "as «invoice_id» says"})),
        asks(2, ("answer", {"status": "approved", "reason": "«invoice_id» is settled"})),
        wire=wire,
    )
    clerk = project.genie(
        f"sealed-{wire}",
        model=model_at(server.url, wire),
        job_description="You check.",
        skills=[leaky, failing, settle],
    )

    async with project.open(tmp_path / "home") as app:
        answer = await app.assign_task(
            clerk, "Check it.", metadata={"invoice_id": Sealed(SECRET)}, output=Verdict
        )

    assert answer.output.reason == f"{SECRET} is settled"
    assert settled == [(f"as {SECRET} says", SECRET)]
    assert (answer.proof.requests, answer.proof.clean) == (3, 3)
    # That none carries it, in no form, is looked at after each test.
    assert "«invoice_id» is closed" in str(server.sent[1].body)
    assert "/find?id=«invoice_id»" in str(server.sent[1].body)
    for encoded in ("/42", "%2F42", "J%C3%B6rg", "rg/", "Q0FOQVJZ"):
        assert not [each for each in server.sent if encoded in each.text]


@EACH_WIRE
@pytest.mark.parametrize(
    ("terms", "source"),
    [
        ({"instructions": f"Check {SECRET}."}, "instructions"),
        ({"data": [{"a": SECRET.lower()}]}, "data"),
        ({"files": [File("po.csv", f"n,id\n1,{SECRET}\n".encode())]}, "file po.csv"),
        ({"files": [File("CANARY-42.csv", b"a,b\n1,2")]}, "name of file «invoice_id».csv"),
    ],
)
async def test_a_request_that_would_carry_it_is_not_sent(aimock, tmp_path, wire, terms, source):
    server = aimock(says("Fine."), wire=wire)
    value = "CANARY-42" if "name of" in str(source) else SECRET
    given = {"instructions": "Check.", "metadata": {"invoice_id": Sealed(value)}} | terms

    async with project.open(tmp_path / "home") as app:
        clerk = genie(model_at(server.url, wire))
        with pytest.raises(JobFailed) as raised:
            await app.assign_task(clerk, **given)

    error = raised.value.error
    assert (error["code"], error["fields"]["source"]) == ("metadata_leaked", source)
    assert value not in json.dumps(error, ensure_ascii=False)
    assert server.sent == []


@EACH_WIRE
async def test_an_old_conversation_that_holds_it_is_not_sent(aimock, tmp_path, wire):
    server = aimock(asks(0, ("purchase_order", {"number": SECRET})), says("Fine.", 1), wire=wire)

    async with project.open(tmp_path / "home") as app:
        clerk = genie(model_at(server.url, wire))
        before = await app.assign_task(clerk, "Check.", metadata={"invoice_id": "OTHER-1"})
        server.sent.clear()
        with pytest.raises(JobFailed, match="Nothing was sent") as raised:
            await app.assign_task(
                clerk,
                "Check again.",
                metadata={"invoice_id": Sealed(SECRET)},
                conversation=before.conversation_id,
            )

    source = f"earlier task {before.task_id}: arguments of skill purchase_order"
    assert raised.value.error["fields"]["source"] == source
    assert server.sent == []
