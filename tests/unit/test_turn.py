"""The turn loop: what is asked, what is judged, and what is refused before anything happens."""

from __future__ import annotations

import pytest

from lampwork import Job, Metadata, Project, values
from lampwork.errors import (
    GenieNotInProject,
    InputInvalid,
    InstructionsMissing,
    MetadataInvalid,
    MetadataUnknown,
    OutputInvalid,
    OutputTypeInvalid,
    PlaybookFailed,
    TaskNotCompleted,
    TurnLimitReached,
)
from lampwork.models import (
    Answer,
    Ask,
    Call,
    Calls,
    CannotComplete,
    Playbook,
    Reply,
    Turn,
    playbook,
)
from lampwork.store import schema

from .clerk import METADATA, VERDICT, Verdict, genie_of, thorough


async def test_a_task_ends_with_a_typed_answer_and_a_log_of_what_was_done(desk, skills, effects):
    answer = await desk.assign(genie_of(desk, thorough, skills), metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert (answer.task_id, answer.conversation_id) == ("t1.1", "c1.1")
    assert answer.metadata == METADATA
    assert answer.usage == {"requests": 3, "cost_nanodollars": 0}
    assert [(a.call, a.skill, a.status) for a in answer.actions] == [
        ("2.0", "look_up", "ok"),
        ("2.1", "approve", "ok"),
        ("7.0", "pay", "ok"),
    ]
    assert effects.acts == [
        ("look_up", "PO-7"),
        ("approve", "t1.1.2.1"),
        ("pay", "t1.1.7.0"),
    ]
    kinds = await desk.kinds()
    assert kinds == [
        "told",
        *("said", "intent", "intent", "result", "result"),
        *("said", "intent", "result"),
        *("said", "answered"),
    ]
    row = await desk.row(schema.tasks, "t1.1")
    assert (row.status, row.usage, row.epoch) == ("answered", answer.usage, 1)
    assert (await desk.row(schema.conversations, "c1.1")).holder is None


async def test_a_text_task_is_answered_by_text(desk):
    @playbook
    def brief(turn: Turn):
        return Answer(f"{turn.instructions} {turn.data['n']}")

    answer = await desk.assign(genie_of(desk, brief), "Count to", data={"n": 3})

    assert (answer.output, answer.response) == ("Count to 3", "Count to 3")


async def test_a_task_of_plain_skills_asks_for_no_tasks_below_it(desk, skills, monkeypatch):
    """What some tasks need costs the others nothing."""
    asked: list[str] = []
    read = desk.store.read

    async def listening(query, *args, **kwargs):
        asked.append(query.__name__)
        return await read(query, *args, **kwargs)

    @desk.project.recipe()
    async def delegate(job: Job) -> str:
        """Delegate."""
        return "done"

    @playbook
    def delegating(turn: Turn):
        return Answer("done") if turn.results else Call("delegate")

    async def child(_callable, _input):
        return values.Value('"done"')

    monkeypatch.setattr(desk.store, "read", listening)
    desk.child = child
    await desk.assign(genie_of(desk, thorough, skills), metadata=METADATA, output=Verdict)
    assert asked == []
    await desk.assign(genie_of(desk, delegating, [delegate], "delegating"), job="j2")
    assert asked == ["tasks_below"]


# --- metadata ---


async def test_a_spoofed_metadata_argument_is_refused_recorded_and_the_recorded_value_used(
    desk, skills, effects
):
    @playbook
    def spoofer(turn: Turn):
        match turn.number:
            case 1:
                return Call("approve", note="hi", invoice_id="EVIL")
            case 2:
                assert "invoice_id" in turn.results[0].error
                return Call("approve", note="hi")
            case _:
                return Answer(turn.results[-1].value)

    answer = await desk.assign(genie_of(desk, spoofer, skills), metadata=METADATA)

    assert answer.output == "approved INV-1: hi"
    assert len(effects.of("approve")) == 1
    said = next(body for kind, body in await desk.entries() if kind == "said")
    assert said["calls"][0]["verdict"] == "refused"
    assert said["calls"][0]["argument_refused"] == ["invoice_id"]
    assert answer.actions[0].status == "refused"


async def test_a_metadata_name_of_another_skill_is_refused_too(desk, skills, effects):
    @playbook
    def spoofer(turn: Turn):
        if turn.number == 1:
            return Call("pay", amount=1, invoice_id="EVIL")
        return Answer("done")

    answer = await desk.assign(genie_of(desk, spoofer, skills), metadata=METADATA)

    assert [a.status for a in answer.actions] == ["refused"]
    assert effects.acts == []


async def test_no_request_holds_metadata_or_a_trace_of_its_parameters(desk):
    asked: list[str] = []

    class Listening(Playbook):
        async def respond(self, ask: Ask) -> Reply:
            asked.append(repr((ask.job_description, ask.messages, ask.skills, ask.endings)))
            asked.append(repr(ask.turn))
            return await super().respond(ask)

    @desk.project.skill(effect="idempotent", name="quiet")
    async def approve(note: str, secret_id: Metadata[str]) -> str:
        """Approve."""
        return "done"

    @playbook
    def quiet(turn: Turn):
        return Call("quiet", note="x") if turn.number == 1 else Answer("done")

    model = Listening(quiet.fn)
    await desk.assign(genie_of(desk, model, [approve]), metadata={"secret_id": "CANARY-1"})

    assert len(asked) == 4
    assert "quiet" in asked[0]
    for text in asked:
        assert "CANARY-1" not in text
        assert "secret_id" not in text


async def test_a_skill_whose_required_metadata_the_task_lacks_is_withheld(desk, skills, effects):
    @playbook
    def tries(turn: Turn):
        assert turn.skills == ("look_up", "pay")
        if turn.number == 1:
            return Call("approve", note="x")
        return Answer(turn.results[0].error)

    answer = await desk.assign(genie_of(desk, tries, skills))

    assert 'no skill "approve"' in answer.output
    told = (await desk.entries())[0][1]
    assert told["withheld"] == {"approve": 'the task has no metadata "invoice_id"'}
    assert effects.acts == []


# --- the model's mistakes ---


async def test_invalid_arguments_are_explained_and_nothing_runs(desk, skills, effects):
    @playbook
    def sloppy(turn: Turn):
        if turn.number == 1:
            return Calls(Call("pay", amount="many"), Call("pay", amount=1, colour="red"))
        return Answer(" | ".join(result.error for result in turn.results))

    answer = await desk.assign(genie_of(desk, sloppy, skills))

    assert "amount: Input should be a valid integer" in answer.output
    assert "colour: Extra inputs are not permitted" in answer.output
    assert effects.acts == []


async def test_an_invalid_answer_is_asked_for_again_with_the_reasons(desk):
    @playbook
    def learns(turn: Turn):
        if turn.number == 1:
            return Answer({"status": "maybe", "reason": "?", "mood": "good"})
        assert any("status" in each for each in turn.feedback)
        assert any("mood" in each for each in turn.feedback)
        return Answer(VERDICT)

    answer = await desk.assign(genie_of(desk, learns), output=Verdict)

    assert answer.output == VERDICT
    assert await desk.kinds() == ["told", "said", "asked_again", "said", "answered"]


async def test_answers_that_stay_invalid_fail_the_task_with_the_last_attempt(desk):
    @playbook
    def stubborn(turn: Turn):
        return Answer({"status": turn.number})

    with pytest.raises(OutputInvalid) as raised:
        await desk.assign(genie_of(desk, stubborn), output=Verdict)

    assert raised.value.attempt == {"status": 3}
    assert any("reason" in each for each in raised.value.problems)
    assert raised.value.task_id == "t1.1"
    row = await desk.row(schema.tasks, "t1.1")
    assert row.status == "failed"
    assert row.outcome["error"]["code"] == "output_invalid"


async def test_text_where_a_typed_answer_is_due_is_asked_again(desk):
    class Chatty(Playbook):
        async def respond(self, ask: Ask) -> Reply:
            if ask.turn.number == 1:
                raw = {"parts": [{"content": "Fine!", "part_kind": "text"}], "kind": "response"}
                return Reply("Fine!", (), raw, "chatty", {"requests": 1})
            return await super().respond(ask)

    @playbook
    def answers(turn: Turn):
        assert turn.feedback == ("the reply was text; give your answer by calling `answer`",)
        return Answer(VERDICT)

    answer = await desk.assign(genie_of(desk, Chatty(answers.fn)), output=Verdict)

    assert answer.output == VERDICT


async def test_an_answer_beside_skill_calls_waits_for_their_results(desk, skills):
    class Hasty(Playbook):
        async def respond(self, ask: Ask) -> Reply:
            reply = await super().respond(ask)
            if ask.turn.number > 1:
                return reply
            calls = (
                *reply.calls,
                type(reply.calls[0])("x", "answer", {"status": "approved", "reason": "early"}),
            )
            return Reply("", calls, reply.raw, reply.model, reply.usage)

    @playbook
    def follows(turn: Turn):
        return Call("look_up", order="1") if turn.number == 1 else Answer(VERDICT)

    answer = await desk.assign(genie_of(desk, Hasty(follows.fn), skills), output=Verdict)

    assert answer.output.reason == "it matches"
    said = (await desk.entries())[1][1]
    assert [call["verdict"] for call in said["calls"]] == ["accepted", "postponed"]


async def test_a_genie_may_decline(desk):
    @playbook
    def honest(turn: Turn):
        return CannotComplete("there is no invoice", missing=["the PDF"])

    with pytest.raises(TaskNotCompleted) as raised:
        await desk.assign(genie_of(desk, honest), output=Verdict)

    assert (raised.value.reason, raised.value.missing) == ("there is no invoice", ["the PDF"])
    assert raised.value.message.endswith("the task: there is no invoice. Missing: the PDF.")
    assert (await desk.kinds())[-1] == "not_completed"


async def test_a_playbook_that_raises_is_to_be_mended(desk):
    @playbook
    def broken(turn: Turn):
        raise KeyError("nope")

    with pytest.raises(
        PlaybookFailed, match=r"raised KeyError: 'nope' \(.*test_turn\.py:\d+\)"
    ) as raised:
        await desk.assign(genie_of(desk, broken))

    assert (raised.value.playbook, raised.value.error_type) == ("playbook:broken", "KeyError")


async def test_a_playbook_that_returns_what_it_may_not_is_named_with_its_place(desk):
    @playbook
    def empty(turn: Turn):
        return None

    line = empty.fn.__code__.co_firstlineno
    said = rf"TypeError: it returned None, not Call.* \(.*test_turn\.py:{line}\)"
    with pytest.raises(PlaybookFailed, match=said):
        await desk.assign(genie_of(desk, empty))


async def test_a_genie_that_never_answers_is_stopped(desk, skills):
    @playbook
    def loops(turn: Turn):
        return Call("look_up", order=str(turn.number))

    with pytest.raises(TurnLimitReached) as raised:
        await desk.assign(genie_of(desk, loops, skills))

    assert raised.value.turns == 50


# --- what is refused before anything happens ---


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"instructions": " "}, InstructionsMissing),
        ({"instructions": "a lone \ud800 surrogate"}, InputInvalid),
        ({"data": {"ratio": float("nan")}}, InputInvalid),
        ({"data": object()}, InputInvalid),
        ({"metadata": {"invoice": "1"}}, MetadataUnknown),
        ({"metadata": {"invoice_id": 1}}, MetadataInvalid),
        ({"output": "Verdict"}, OutputTypeInvalid),
    ],
)
async def test_a_task_that_cannot_be_given_is_refused_before_anything_happens(
    desk, skills, inputs, error
):
    with pytest.raises(error):
        await desk.assign(genie_of(desk, thorough, skills), **inputs)

    assert await desk.kinds() == []


async def test_a_genie_of_another_project_is_refused(desk):
    stranger = Project("other").genie("clerk", model=thorough, job_description="You check.")

    with pytest.raises(GenieNotInProject, match='belongs to project "other", not to "finance"'):
        await desk.assign(stranger)


async def test_half_a_surrogate_pair_is_no_reason_to_fail(desk):
    """A reply that was cut off within one, and a skill whose error names such a file."""

    @desk.project.skill(effect="read")
    def echo(text: str) -> str:
        """Echo."""
        raise FileNotFoundError(f"no {text} \udc80")

    @playbook
    def cut(turn: Turn):
        if turn.number == 1:
            return Call("echo", text="half \ud83d")
        return Answer(f"{turn.results[0].error} \ud83d")

    answer = await desk.assign(genie_of(desk, cut, [echo]))

    assert answer.actions[0].arguments == {"text": "half \ufffd"}
    assert answer.output == "echo failed: FileNotFoundError: no half \ufffd \\udc80 \ufffd"
