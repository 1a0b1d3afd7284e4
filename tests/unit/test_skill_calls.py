"""Skill calls: failures, retries, effects that must happen at most once, recipes as skills."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from dirty_equals import IsFloat
from tests.support import eventually

from lampwork import Job, Metadata, SkillCall, values
from lampwork.errors import (
    NotDone,
    SkillFailed,
    SkillFailing,
)
from lampwork.genies.effect import DidNotHappen, Happened, StillUnknown
from lampwork.models import (
    Answer,
    Call,
    Calls,
    Turn,
    playbook,
)
from lampwork.models.ask import Message, Returned
from lampwork.runs.step import Retry
from lampwork.store import schema

from .clerk import genie_of, payer

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


@pytest.mark.parametrize(("give_up_after", "calls"), [(1, 1), (2, 2), (None, 6)])
async def test_a_skill_says_how_often_it_may_fail_in_a_row(desk, give_up_after, calls):
    acts: list[int] = []

    @desk.project.skill(effect="read", give_up_after=give_up_after)
    async def flaky(n: int) -> str:
        """Fail."""
        acts.append(n)
        raise ValueError("no luck")

    @playbook
    def insists(turn: Turn):
        return Call("flaky", n=turn.number) if turn.number <= 6 else Answer("enough")

    clerk = genie_of(desk, insists, [flaky])
    if give_up_after is None:
        assert (await desk.assign(clerk)).output == "enough"
    else:
        with pytest.raises(SkillFailing):
            await desk.assign(clerk)

    assert len(acts) == calls


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
        await asyncio.wait_for(met.wait(), 60)
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


async def test_results_stand_in_the_order_of_the_calls_whichever_came_first(desk):
    @desk.project.skill(effect="read")
    async def slow(n: int) -> str:
        """Give what is asked for once every other call has its result."""

        async def others_have_come() -> bool:
            return (await desk.kinds()).count("result") == 2

        await eventually(others_have_come)
        return f"slow {n}"

    @desk.project.skill(effect="read")
    async def quick(n: int) -> str:
        """Give what is asked for."""
        return f"quick {n}"

    shown: list[tuple[Message, ...]] = []

    @playbook
    def asks(turn: Turn):
        shown.append(turn.history)
        if turn.results or turn.history:
            return Answer("; ".join(each.value or "wrong" for each in turn.results) or "again")
        calls = (Call("quick", n=1), Call("quick", n="no number"), Call("slow", n=2))
        return Calls(*calls, Call("quick", n=3))

    genie = genie_of(desk, asks, [slow, quick])
    answer = await desk.assign(genie)

    assert answer.output == "quick 1; wrong; slow 2; quick 3"
    await desk.assign(genie, job="j2", call=2, conversation="c1.1")
    contents = [each.content for each in shown[-1] if isinstance(each, Returned)]
    assert [contents[0], *contents[2:4]] == ["quick 1", "slow 2", "quick 3"]


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
        "begun_at": IsFloat,
        "schema": {"type": "string"},
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


@pytest.mark.parametrize(
    "says", [StillUnknown("the bank is closed"), ValueError("broken"), None, Happened(7)]
)
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
