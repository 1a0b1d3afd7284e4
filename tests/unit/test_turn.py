"""The turn loop: what is asked, judged, done once, and gone on with after a crash."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from lampwork import Job, Metadata, Project, SkillCall, failpoint, values
from lampwork.effect import DidNotHappen, Happened, StillUnknown
from lampwork.errors import (
    GenieNotInProject,
    InputInvalid,
    InstructionsMissing,
    MetadataInvalid,
    MetadataUnknown,
    ModelUnavailable,
    NotDone,
    OutputInvalid,
    OutputTypeInvalid,
    SkillFailed,
    SkillFailing,
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
from lampwork.run import RunEnded
from lampwork.step import Retry
from lampwork.store import schema
from lampwork.turn import FAILPOINTS


class Verdict(BaseModel):
    status: Literal["approved", "flagged"]
    reason: str


VERDICT = Verdict(status="approved", reason="it matches")


@dataclass
class Effects:
    """What reached the world: every act with its key."""

    acts: list[tuple[str, str]] = field(default_factory=list)

    def of(self, name: str) -> list[str]:
        return [key for act, key in self.acts if act == name]


@pytest.fixture
def effects() -> Effects:
    return Effects()


@pytest.fixture
def skills(desk, effects):
    @desk.project.skill(effect="read")
    async def look_up(order: str) -> dict[str, int]:
        """Look an order up."""
        effects.acts.append(("look_up", order))
        return {"amount": 100}

    @desk.project.skill(effect="idempotent")
    async def approve(note: str, invoice_id: Metadata[str], call: SkillCall) -> str:
        """Approve the invoice."""
        effects.acts.append(("approve", call.idempotency_key))
        return f"approved {invoice_id}: {note}"

    @desk.project.skill()
    def pay(amount: int, call: SkillCall) -> str:
        """Pay the invoice."""
        effects.acts.append(("pay", call.idempotency_key))
        return f"paid {amount}"

    return [look_up, approve, pay]


def genie_of(desk, model: Any, skills: Any = (), name: str = "clerk"):
    return desk.project.genie(name, model=model, job_description="You check.", skills=skills)


@playbook
def thorough(turn: Turn):
    """Looks up and approves side by side, pays, answers."""
    match turn.number:
        case 1:
            return Calls(Call("look_up", order="PO-7"), Call("approve", note="matches"))
        case 2:
            return Call("pay", amount=100)
        case _:
            return Answer(VERDICT)


METADATA = {"invoice_id": "INV-1"}


async def test_a_task_ends_with_a_typed_answer_and_a_log_of_what_was_done(desk, skills, effects):
    answer = await desk.assign(genie_of(desk, thorough, skills), metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert (answer.task_id, answer.conversation_id) == ("t1.1", "c1.1")
    assert answer.metadata == METADATA
    assert answer.usage == {"requests": 3}
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
    assert (row.status, row.usage, row.epoch) == ("answered", {"requests": 3}, 1)
    assert (await desk.row(schema.conversations, "c1.1")).holder is None


async def test_a_text_task_is_answered_by_text(desk):
    @playbook
    def brief(turn: Turn):
        return Answer(f"{turn.instructions} {turn.data['n']}")

    answer = await desk.assign(genie_of(desk, brief), "Count to", data={"n": 3})

    assert (answer.output, answer.response) == ("Count to 3", "Count to 3")


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
    assert (await desk.kinds())[-1] == "not_completed"


async def test_a_playbook_that_raises_is_a_model_that_is_unavailable(desk):
    @playbook
    def broken(turn: Turn):
        raise KeyError("nope")

    with pytest.raises(ModelUnavailable, match="playbook:broken raised KeyError"):
        await desk.assign(genie_of(desk, broken))


async def test_a_genie_that_never_answers_is_stopped(desk, skills):
    @playbook
    def loops(turn: Turn):
        return Call("look_up", order=str(turn.number))

    with pytest.raises(TurnLimitReached) as raised:
        await desk.assign(genie_of(desk, loops, skills))

    assert raised.value.turns == 50


# --- skills that fail ---


async def test_a_failing_skill_is_told_to_the_model_and_after_three_times_the_task_fails(desk):
    @desk.project.skill(effect="read")
    async def flaky(n: int) -> str:
        """Fail."""
        raise ValueError(f"no luck with {n}")

    @playbook
    def insists(turn: Turn):
        if turn.results:
            assert (
                turn.results[-1].error
                == f"flaky failed: ValueError: no luck with {turn.number - 1}"
            )
        return Call("flaky", n=turn.number)

    with pytest.raises(SkillFailing) as raised:
        await desk.assign(genie_of(desk, insists, [flaky]))

    assert raised.value.skill == "flaky"
    assert len(raised.value.errors) == 3
    results = [body for kind, body in await desk.entries() if kind == "result"]
    assert "Traceback" in results[0]["error"]["traceback"]


async def test_a_success_between_failures_starts_the_count_anew(desk):
    @desk.project.skill(effect="read")
    async def moody(n: int) -> str:
        """Fail now and then."""
        if n % 3:
            raise ValueError("not now")
        return "ok"

    @playbook
    def insists(turn: Turn):
        return Call("moody", n=turn.number) if turn.number < 9 else Answer("done")

    answer = await desk.assign(genie_of(desk, insists, [moody]))

    assert answer.output == "done"


async def test_not_done_of_an_at_most_once_skill_is_a_plain_failure(desk):
    @desk.project.skill()
    async def pay(amount: int) -> str:
        """Pay."""
        raise NotDone("the bank is closed")

    @playbook
    def asks(turn: Turn):
        return Call("pay", amount=1) if turn.number == 1 else Answer(turn.results[0].error)

    answer = await desk.assign(genie_of(desk, asks, [pay]))

    assert answer.output == "pay failed: NotDone: the bank is closed"


async def test_retries_keep_the_key(desk):
    keys: list[str] = []

    @desk.project.skill(effect="idempotent", retry=Retry(attempts=3, delay=0))
    async def book(call: SkillCall) -> str:
        """Book."""
        keys.append(call.idempotency_key)
        if len(keys) < 3:
            raise OSError("connection lost")
        return "booked"

    @playbook
    def asks(turn: Turn):
        return Call("book") if turn.number == 1 else Answer(turn.results[0].value)

    answer = await desk.assign(genie_of(desk, asks, [book]))

    assert answer.output == "booked"
    assert keys == ["t1.1.2.0"] * 3
    result = next(body for kind, body in await desk.entries() if kind == "result")
    assert result["attempts"] == 3


async def test_a_result_that_does_not_fit_its_type_says_that_the_work_was_done(desk):
    @desk.project.skill(effect="idempotent")
    async def count() -> int:
        """Count."""
        return "three"  # type: ignore[return-value]

    @playbook
    def asks(turn: Turn):
        return Call("count") if turn.number == 1 else Answer(turn.results[0].error)

    answer = await desk.assign(genie_of(desk, asks, [count]))

    assert answer.output.startswith("count has done its work, but")


async def test_system_exit_in_a_skill_is_an_error_of_that_skill(desk):
    @desk.project.skill(effect="read")
    async def leave() -> str:
        """Leave."""
        raise SystemExit(3)

    @playbook
    def asks(turn: Turn):
        return Call("leave") if turn.number == 1 else Answer(turn.results[0].error)

    answer = await desk.assign(genie_of(desk, asks, [leave]))

    assert answer.output == "leave failed: SystemExit: 3"


async def test_skill_calls_of_one_reply_run_side_by_side(desk):
    met = asyncio.Event()

    @desk.project.skill(effect="read")
    async def first() -> str:
        """Wait for the second."""
        await asyncio.wait_for(met.wait(), 5)
        return "1"

    @desk.project.skill(effect="read")
    async def second() -> str:
        """Free the first."""
        met.set()
        return "2"

    @playbook
    def asks(turn: Turn):
        return Calls(Call("first"), Call("second")) if turn.number == 1 else Answer("met")

    assert (await desk.assign(genie_of(desk, asks, [first, second]))).output == "met"


async def test_a_plain_function_runs_in_a_thread_and_holds_nobody_up(desk):

    threads: list[str] = []

    @desk.project.skill(effect="read")
    def block() -> str:
        """Block."""
        threads.append(threading.current_thread().name)
        return "x"

    @playbook
    def asks(turn: Turn):
        return Call("block") if turn.number == 1 else Answer("done")

    await desk.assign(genie_of(desk, asks, [block]))

    assert threads
    assert threads[0] != threading.main_thread().name


# --- at most once ---


@pytest.fixture
def lost_pay(desk, effects):
    """A skill that pays, and then fails without saying so."""

    @desk.project.skill()
    async def pay(amount: int, call: SkillCall) -> str:
        """Pay."""
        effects.acts.append(("pay", call.idempotency_key))
        if len(effects.of("pay")) == 1:
            raise ConnectionError("no reply")
        return "paid"

    return pay


@playbook
def payer(turn: Turn):
    if turn.number == 1:
        return Call("pay", amount=1)
    result = turn.results[-1]
    return Answer(result.error or str(result.value))


@pytest.mark.parametrize(
    ("resolution", "output", "paid"),
    [
        ({"resolution": "happened", "result": "seen at the bank"}, "seen at the bank", 1),
        ({"resolution": "did_not_happen"}, "paid", 2),
    ],
)
async def test_an_exception_of_an_at_most_once_skill_waits_for_a_person(
    desk, effects, lost_pay, resolution, output, paid
):
    working = asyncio.create_task(desk.assign(genie_of(desk, payer, [lost_pay])))
    wait = await desk.next_wait()

    assert (wait.id, wait.kind, wait.task_id) == ("w1.1.2.0", "resolution", "t1.1")
    assert wait.subject == {
        "skill": "pay",
        "arguments": {"amount": 1},
        "key": "t1.1.2.0",
        "why": "ConnectionError: no reply",
    }
    assert (await desk.row(schema.tasks, "t1.1")).status == "waiting"
    await desk.answer(wait.id, resolution)
    answer = await working

    assert answer.output == output
    assert effects.of("pay") == ["t1.1.2.0"] * paid


async def test_a_person_can_fail_an_unknown_outcome(desk, lost_pay):
    working = asyncio.create_task(desk.assign(genie_of(desk, payer, [lost_pay])))
    wait = await desk.next_wait()
    await desk.answer(wait.id, {"resolution": "fail", "reason": "paid by hand"})

    with pytest.raises(SkillFailed) as raised:
        await working

    assert (raised.value.skill, raised.value.reason) == ("pay", "paid by hand")


async def test_done_again_and_unknown_again_is_a_new_wait(desk, effects):
    @desk.project.skill()
    async def pay(amount: int, call: SkillCall) -> str:
        """Pay."""
        effects.acts.append(("pay", call.idempotency_key))
        raise ConnectionError("no reply")

    working = asyncio.create_task(desk.assign(genie_of(desk, payer, [pay])))
    first = await desk.next_wait()
    await desk.answer(first.id, {"resolution": "did_not_happen"})
    second = await desk.next_wait()
    await desk.answer(second.id, {"resolution": "happened", "result": "at last"})

    assert (await working).output == "at last"
    assert (first.id, second.id) == ("w1.1.2.0", "w1.1.2.0.1")
    assert effects.of("pay") == ["t1.1.2.0"] * 2


async def test_a_timeout_of_an_at_most_once_skill_is_unknown(desk):
    @desk.project.skill(timeout=0.01)
    async def pay(amount: int) -> str:
        """Pay."""
        await asyncio.Event().wait()
        return "never"

    working = asyncio.create_task(desk.assign(genie_of(desk, payer, [pay])))
    wait = await desk.next_wait()

    assert wait.subject["why"] == "TimeoutError: it took longer than 0.01 s"
    await desk.answer(wait.id, {"resolution": "happened", "result": "paid"})
    await working


async def test_a_timeout_of_a_read_is_an_error(desk):
    @desk.project.skill(effect="read", timeout=0.01)
    async def look() -> str:
        """Look."""
        await asyncio.Event().wait()
        return "never"

    @playbook
    def asks(turn: Turn):
        return Call("look") if turn.number == 1 else Answer(turn.results[0].error)

    answer = await desk.assign(genie_of(desk, asks, [look]))

    assert answer.output == "look failed: TimeoutError: it took longer than 0.01 s"


@pytest.mark.parametrize(
    ("found", "output", "paid"),
    [(Happened("found at the bank"), "found at the bank", 1), (DidNotHappen(), "paid", 2)],
)
async def test_the_reconciler_is_asked_before_a_person(
    desk, effects, lost_pay, found, output, paid
):
    asked: list[Any] = []

    @lost_pay.reconcile
    def find(call: SkillCall, amount: int):
        asked.append((call.idempotency_key, amount))
        return found

    answer = await desk.assign(genie_of(desk, payer, [lost_pay]))

    assert answer.output == output
    assert asked == [("t1.1.2.0", 1)]
    assert len(effects.of("pay")) == paid


@pytest.mark.parametrize("says", [StillUnknown("the bank is closed"), ValueError("broken"), None])
async def test_a_reconciler_that_does_not_know_leaves_it_to_a_person(desk, lost_pay, says):
    @lost_pay.reconcile
    async def find(call: SkillCall):
        if isinstance(says, ValueError):
            raise says
        return says

    working = asyncio.create_task(desk.assign(genie_of(desk, payer, [lost_pay])))
    wait = await desk.next_wait()

    assert wait.subject["why"].startswith("ConnectionError: no reply; ")
    await desk.answer(wait.id, {"resolution": "happened", "result": "paid"})
    assert (await working).output == "paid"


async def test_equal_at_most_once_calls_are_not_started_while_one_is_unknown(
    desk, effects, lost_pay
):
    @playbook
    def twice(turn: Turn):
        if turn.number == 1:
            return Calls(Call("pay", amount=1), Call("pay", amount=1))
        return Answer("done")

    working = asyncio.create_task(desk.assign(genie_of(desk, twice, [lost_pay])))
    wait = await desk.next_wait()

    assert effects.of("pay") == ["t1.1.2.0"]
    await desk.answer(wait.id, {"resolution": "happened", "result": "paid"})
    await working
    assert effects.of("pay") == ["t1.1.2.0", "t1.1.2.1"]


# --- a recipe as a skill ---


async def test_a_recipe_among_the_skills_is_a_child_job_named_in_its_intent(desk):
    @desk.project.recipe()
    async def refund(job: Job, amount: int, customer: Metadata[str]) -> str:
        """Refund an amount."""
        return "refunded"

    async def child(callable: str, input: Any) -> values.Outcome:
        return values.Value('"refunded"')

    desk.child = child

    @playbook
    def asks(turn: Turn):
        if turn.number == 1:
            return Call("refund", amount=5)
        return Answer(turn.results[0].value)

    answer = await desk.assign(genie_of(desk, asks, [refund]), metadata={"customer": "ann"})

    assert answer.output == "refunded"
    assert desk.children == [("j1.1.2.0", 1, "refund", {"amount": 5, "customer": "ann"})]
    intent = next(body for kind, body in await desk.entries() if kind == "intent")
    assert intent["child"] == "j1.1.2.0"


# --- crashes ---


async def cut(desk, keep: int) -> None:
    """Keep the first entries of the whole task only, as if its process had died there."""
    await desk.sql("CREATE TABLE IF NOT EXISTS whole AS SELECT * FROM entries")
    await desk.sql("DELETE FROM entries")
    await desk.sql("INSERT INTO entries SELECT * FROM whole WHERE seq <= :keep", keep=keep)
    await desk.sql("UPDATE conversations SET last_seq = :keep, holder = 't1.1'", keep=keep)
    await desk.sql(
        "UPDATE tasks SET status = 'working', outcome = NULL, usage = NULL, ended_at = NULL"
    )


async def test_a_replay_from_every_prefix_goes_on_where_it_stopped(desk, skills, effects):
    genie = genie_of(desk, thorough, skills)
    await desk.assign(genie, metadata=METADATA, output=Verdict)
    whole = await desk.entries()

    # A response, its intents and the end it leads to are one append: no crash comes between.
    boundaries = [
        n for n, (kind, _) in enumerate(whole) if n and kind not in ("intent", "answered")
    ]
    assert boundaries == [1, 4, 5, 6, 8, 9]
    for keep in boundaries:
        await cut(desk, keep)
        kept = whole[:keep]
        effects.acts.clear()
        working = asyncio.create_task(desk.assign(genie, metadata=METADATA, output=Verdict))
        done = {body["call"] for kind, body in kept if kind == "result"}
        begun = {body["call"] for kind, body in kept if kind == "intent"} - done
        if "7.0" in begun:  # the payment: nobody knows
            wait = await desk.next_wait()
            assert effects.of("pay") == []
            await desk.sql("DELETE FROM inbox")
            await desk.answer(wait.id, {"resolution": "happened", "result": "paid 100"})
        answer = await working

        assert answer.output == VERDICT
        assert [(a.skill, a.status) for a in answer.actions] == [
            ("look_up", "ok"),
            ("approve", "ok"),
            ("pay", "ok"),
        ]
        assert effects.of("approve") == ([] if "2.1" in done else ["t1.1.2.1"])
        assert effects.of("pay") == ([] if begun | done >= {"7.0"} else ["t1.1.7.0"])
        after = [kind for kind, _ in await desk.entries() if kind != "unknown"]
        assert sorted(after) == sorted(kind for kind, _ in whole)
        await desk.sql("DELETE FROM waits")
        await desk.sql("DELETE FROM inbox")


async def test_a_finished_task_gives_its_outcome_again_without_asking_anyone(desk, effects):
    @playbook
    def once(turn: Turn):
        effects.acts.append(("asked", ""))
        return Answer("done")

    genie = genie_of(desk, once)
    first = await desk.assign(genie)
    again = await desk.assign(genie)

    assert again == first
    assert len(effects.acts) == 1


class Killed(BaseException):
    pass


@pytest.mark.parametrize("point", FAILPOINTS)
async def test_stopped_at_any_point_the_task_goes_on_and_keyed_effects_keep_their_key(
    desk, skills, effects, point
):
    genie = genie_of(desk, thorough, skills)
    hits = 0

    def stop() -> None:
        nonlocal hits
        hits += 1
        raise Killed

    failpoint.arm(point, stop)
    try:
        with pytest.raises(Killed):
            await desk.assign(genie, metadata=METADATA, output=Verdict)
    finally:
        failpoint.disarm(point)
    assert hits

    answer = await desk.assign(genie, metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert set(effects.of("approve")) == {"t1.1.2.1"}
    assert effects.of("pay") == ["t1.1.7.0"]


async def test_after_a_crash_a_reconciler_is_asked_about_a_payment_that_was_begun(
    desk, skills, effects
):
    pay = skills[2]

    @pay.reconcile
    def find(call: SkillCall):
        return Happened("paid 100, as the bank says")

    genie = genie_of(desk, thorough, skills)
    await desk.assign(genie, metadata=METADATA, output=Verdict)
    kinds = await desk.kinds()
    await cut(desk, kinds.index("said", 2) + 2)
    effects.acts.clear()

    answer = await desk.assign(genie, metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert effects.acts == []


async def test_the_resolution_outlives_a_crash(desk, lost_pay, effects):
    genie = genie_of(desk, payer, [lost_pay])
    working = asyncio.create_task(desk.assign(genie))
    wait = await desk.next_wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await desk.answer(wait.id, {"resolution": "happened", "result": "seen"})

    answer = await desk.assign(genie)

    assert answer.output == "seen"
    assert len(effects.of("pay")) == 1


# --- one owner ---


async def test_a_deposed_run_appends_nothing_and_starts_nothing(desk, skills, effects):
    """A is frozen in its model call; B takes over and works; A thaws."""
    thaw = asyncio.Event()
    frozen = asyncio.Event()

    class Frozen(Playbook):
        async def respond(self, ask: Ask) -> Reply:
            if not frozen.is_set():
                frozen.set()
                await thaw.wait()
            return await super().respond(ask)

    genie = genie_of(desk, Frozen(thorough.fn), skills)
    a, inputs = desk.run(), {"metadata": METADATA, "output": Verdict}
    zombie = asyncio.create_task(desk.assign(genie, run=a, **inputs))
    await asyncio.wait_for(frozen.wait(), 5)
    answer = await desk.assign(genie, run=desk.run(), **inputs)
    before = await desk.entries()
    acts = list(effects.acts)
    thaw.set()
    with pytest.raises(RunEnded):
        await zombie

    assert answer.output == VERDICT
    assert await desk.entries() == before
    assert effects.acts == acts


async def test_the_owner_whose_append_is_refused_proves_claims_anew_and_goes_on(
    desk, skills, effects
):
    """A zombie claims after the owner: the newest claim is not the owner's."""
    genie = genie_of(desk, thorough, skills)

    def zombie_claims() -> None:
        failpoint.disarm("skill.after_effect")
        desk.store.submit(
            lambda connection: (
                connection.exec_driver_sql("UPDATE tasks SET epoch = epoch + 1")
                and connection.exec_driver_sql("UPDATE conversations SET epoch = epoch + 1")
                and None
            )
        )

    failpoint.arm("skill.after_effect", zombie_claims)
    run = desk.run()
    answer = await desk.assign(genie, run=run, metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert run.proofs > 1
    assert effects.of("approve") == ["t1.1.2.1"]
    assert (await desk.row(schema.tasks, "t1.1")).epoch == 3


async def test_a_conversation_that_changed_is_read_again(desk, skills, effects):
    """A predecessor's last append lands between this run's reading and its next append."""
    genie = genie_of(desk, thorough, skills)

    def predecessor_appends() -> None:
        failpoint.disarm("model.after")
        desk.store.submit(
            lambda connection: (
                connection.exec_driver_sql(
                    "INSERT INTO entries SELECT 'c1.1', last_seq + 1, 't1.1', 'asked_again', "
                    '\'{"problems": ["p"], "text": "Again."}\', 0 FROM conversations'
                )
                and connection.exec_driver_sql("UPDATE conversations SET last_seq = last_seq + 1")
                and None
            )
        )

    failpoint.arm("model.after", predecessor_appends)
    answer = await desk.assign(genie, metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert (await desk.kinds())[:3] == ["told", "asked_again", "said"]
    assert effects.of("approve") == ["t1.1.3.1"]


async def test_a_result_too_large_for_a_model_says_that_the_work_was_done(desk):
    @desk.project.skill(effect="read")
    async def dump() -> str:
        """Dump."""
        return "x" * 300_000

    @playbook
    def asks(turn: Turn):
        return Call("dump") if turn.number == 1 else Answer(turn.results[0].error)

    answer = await desk.assign(genie_of(desk, asks, [dump]))

    assert answer.output == (
        "dump has done its work, but its result has 300,002 characters, and 262,144 is the most. "
        "Do not repeat the call."
    )


async def test_the_result_of_an_effect_that_ends_after_its_run_is_still_recorded(desk):
    acting, finish = asyncio.Event(), asyncio.Event()

    @desk.project.skill()
    async def pay() -> str:
        """Pay."""
        acting.set()
        await finish.wait()
        return "paid"

    @playbook
    def asks(turn: Turn):
        return Call("pay") if turn.number == 1 else Answer("never")

    working = asyncio.create_task(desk.assign(genie_of(desk, asks, [pay])))
    await asyncio.wait_for(acting.wait(), 10)
    desk.run()  # the first run is over
    finish.set()
    with pytest.raises(RunEnded):
        await working

    assert await desk.kinds() == ["told", "said", "intent", "result"]


async def test_stopped_at_each_boundary_in_turn_nothing_is_lost_and_nothing_is_done_twice(
    desk, skills, effects
):
    """The same task as often as it has boundaries, stopped at the first, the second, …"""
    genie = genie_of(desk, thorough, skills)
    inputs = {"metadata": METADATA, "output": Verdict}
    here, hits = threading.current_thread(), 0
    for nth in range(1, 100):
        effects.acts.clear()
        hits = 0

        def stop(nth: int = nth) -> None:
            nonlocal hits
            hits += threading.current_thread() is here
            if hits == nth:
                hits += 1
                raise Killed

        failpoint.arm("*", stop)
        try:
            await desk.assign(genie, job=f"j{nth}", **inputs)
        except Killed:
            pass
        else:
            break
        finally:
            failpoint.disarm("*")
        working = asyncio.create_task(desk.assign(genie, job=f"j{nth}", **inputs))
        waiting = asyncio.create_task(desk.next_wait())
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            paid = bool(effects.of("pay"))
            said = {"resolution": "happened", "result": "paid 100"} if paid else None
            await desk.answer(waiting.result().id, said or {"resolution": "did_not_happen"})
        waiting.cancel()
        answer = await working

        assert answer.output == VERDICT
        assert [a.status for a in answer.actions] == ["ok", "ok", "ok"]
        assert set(effects.of("approve")) == {f"t{nth}.1.2.1"}
        assert effects.of("pay") == [f"t{nth}.1.7.0"]
    assert nth > 20


async def test_a_payment_done_again_and_cut_off_again_is_unknown_again(desk, effects, lost_pay):
    genie = genie_of(desk, payer, [lost_pay])
    working = asyncio.create_task(desk.assign(genie))
    first = await desk.next_wait()

    def stop() -> None:
        raise Killed

    failpoint.arm("skill.after_effect", stop)
    await desk.answer(first.id, {"resolution": "did_not_happen"})
    with pytest.raises(Killed):
        await working
    failpoint.disarm("skill.after_effect")
    working = asyncio.create_task(desk.assign(genie))
    second = await desk.next_wait()

    assert second.id == "w1.1.2.0.1"
    assert len(effects.of("pay")) == 2
    await desk.answer(second.id, {"resolution": "happened", "result": "paid after all"})
    assert (await working).output == "paid after all"
    assert len(effects.of("pay")) == 2


async def test_a_run_that_ended_during_its_model_call_begins_nothing_new(desk, skills, effects):
    class Ending(Playbook):
        async def respond(self, ask: Ask) -> Reply:
            desk.run()  # the run is over, and nobody has claimed the task since
            return await super().respond(ask)

    with pytest.raises(RunEnded):
        await desk.assign(genie_of(desk, Ending(thorough.fn), skills), metadata=METADATA)

    assert await desk.kinds() == ["told"]
    assert effects.acts == []


@pytest.mark.parametrize("name", ["pay", "look_up"])
async def test_a_run_that_ended_after_its_intent_does_not_act(desk, skills, effects, name):
    @playbook
    def asks(turn: Turn):
        return Call(name, **({"amount": 1} if name == "pay" else {"order": "1"}))

    failpoint.arm("said.appended", desk.run)
    try:
        with pytest.raises(RunEnded):
            await desk.assign(genie_of(desk, asks, skills))
    finally:
        failpoint.disarm("said.appended")

    assert await desk.kinds() == ["told", "said", "intent"]
    assert effects.acts == []


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
