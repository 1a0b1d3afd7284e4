"""People in a round: a subtask is answered, reassigned, retried or skipped by hand meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.conftest import Open
from tests.orchestration.desk import Desk, orchestration, stands
from tests.orchestration.team import agent, lead, subtask, summary
from tests.support import NEVER, eventually, inside, park, result
from tests.warm import Warm

from lampwork import (
    Answer,
    Call,
    CannotComplete,
    OrchestrationLimits,
    Project,
    Turn,
)
from lampwork.errors import InputInvalid, ModelUnavailable, SubtaskSettled
from lampwork.insights import Insights
from lampwork.store.jobs import cancelled

CENTS = {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}


async def test_a_subtask_is_taken_from_an_agent_at_work_and_given_to_another(opened: Open) -> None:
    desk = Desk(subtask("a", "slow"), subtask("b", "able", inputs=[{"name": "a", "subtask": "a"}]))
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        await eventually(lambda: desk.asked)
        for _ in range(2):  # said twice it is done once
            await app.reassign_subtask(of, "a", "held", by="ann", reason="slow is ill")
        await inside(app, desk.tell())
        answer = await result(app, job)
        found = await Insights(app.store).orchestration(of)

    assert answer["response"] == "a succeeded, b succeeded"
    first = found.subtasks[0]
    assert [(each.agent, each.why, each.status) for each in first.attempts] == [
        ("slow", "first", "stopped"),
        ("held", "by_hand", "accepted"),
    ]
    assert [each.stopped_by for each in first.attempts] == ["ann", None]
    assert first.attempts[0].reasons == ("ann gave it to held: slow is ill.",)
    [order] = first.orders
    assert (order.verb, order.by, order.agent, order.reason) == (
        "reassign",
        "ann",
        "held",
        "slow is ill",
    )


async def test_an_answer_by_hand_is_checked_and_others_go_on_with_it(opened: Open) -> None:
    typed = subtask("a", "slow", output=CENTS)
    desk = Desk(typed, subtask("b", "able", inputs=[{"name": "a", "subtask": "a"}]))
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        with pytest.raises(InputInvalid, match="cents"):
            await app.answer_subtask(of, "a", {"cents": "many"}, by="ann")
        await app.answer_subtask(of, "a", {"cents": 7}, by="ann")
        answer = await result(app, job)
        with pytest.raises(SubtaskSettled, match="has succeeded"):
            await app.answer_subtask(of, "a", {"cents": 8}, by="bob")

    first, second = answer["sections"]
    assert (first["output"], first["agent"], first["answered_by"]) == ({"cents": 7}, "slow", "ann")
    assert (second["subtask"], second["answered_by"]) == ("b", None)


async def test_what_has_failed_is_retried_while_its_round_goes_on_and_what_needs_it_follows(
    opened: Open,
) -> None:
    desk = Desk(
        subtask("a", "unable"), subtask("b", "able", depends_on=["a"]), subtask("c", "held")
    )
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        await stands(app, of, "a", "failed")
        desk.mended = True
        await app.retry_subtask(of, "a", by="ann", reason="it is mended")
        await stands(app, of, "b", "succeeded")
        await inside(app, desk.tell())
        answer = await result(app, job)

    assert answer["response"] == "a succeeded, b succeeded, c succeeded"
    assert [each for each in desk.asked if each.startswith("able")] == ["able: do b []"]


async def test_what_is_skipped_is_missing_where_it_is_required_and_stays_skipped(
    opened: Open,
) -> None:
    def then(turn: Turn) -> Any:
        if len(turn.results) == 1:
            return Call("revise", reason="more", subtasks=[subtask("more", "able")])
        return Answer(summary(turn))

    desk = Desk(
        subtask("optional", "slow", required=False),
        subtask("after", "able", inputs=[{"name": "optional", "subtask": "optional"}]),
        subtask("needed", "slow"),
        subtask("later", "able", depends_on=["needed"]),
        then=then,
    )
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.", allow_partial=True)
        of = (await orchestration(app, job)).orchestration_id
        await app.skip_subtask(of, "optional", by="ann")
        await app.skip_subtask(of, "needed", by="bob", reason="not this year")
        answer = await result(app, job)
        found = await Insights(app.store).orchestration(of)

    assert answer["status"] == "partial"
    assert {each.subtask: each.status for each in found.subtasks} == {
        "optional": "skipped",
        "after": "succeeded",
        "needed": "skipped",
        "later": "skipped",
        "more": "succeeded",
    }
    missing = {each["subtask"]: each["reasons"] for each in answer["missing"]}
    assert missing == {
        "needed": ["bob skipped it: not this year"],
        "later": ["it needs needed"],
    }
    assert len([each for each in desk.asked if each.startswith("slow")]) <= 2


async def test_what_stands_in_line_is_done_by_hand_before_its_turn(opened: Open) -> None:
    project = Project("desk")
    told = [asyncio.Event(), asyncio.Event()]  # one of each life: an event is of its loop

    async def holding(_: Turn) -> Answer:
        await told[0].wait()
        return Answer("held")

    async def tell() -> None:
        told[0].set()

    team = [agent(project, "held", holding), agent(project, "able")]
    plan = [subtask("a", "held"), *(subtask(id, "able") for id in "bcde")]
    plan[2]["required"] = False
    lead(project, team, plan, limits=OrchestrationLimits(parallel=1))
    async with opened(project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        await stands(app, of, "a", "working")
        await app.answer_subtask(of, "b", "by hand", by="ann")
        await stands(app, of, "b", "succeeded")
        await app.skip_subtask(of, "c", by="ann")
        await stands(app, of, "c", "skipped")
        await app.reassign_subtask(of, "d", "able", by="ann")  # which waits for its turn again
    told.pop(0)
    async with opened(project) as app:
        await app.answer_subtask(of, "e", "by hand", by="ann")
        await stands(app, of, "e", "succeeded")
        assert (await stands(app, of, "d", "waiting")).attempts == ()
        await inside(app, tell())
        answer = await result(app, job)
        found = await Insights(app.store).orchestration(of)

    said = "a succeeded, b succeeded, c skipped, d succeeded, e succeeded"
    assert answer["response"] == said
    assert [[each.why for each in one.attempts] for one in found.subtasks] == [
        ["first"],
        [],
        [],
        ["by_hand"],
        [],
    ]


@pytest.mark.parametrize("parked", [False, True])
async def test_an_order_ends_the_rest_of_an_agent_that_has_erred(
    opened: Open, parked: bool
) -> None:
    project = Project("desk")

    def down(_: Turn) -> Answer:
        raise ModelUnavailable("down")

    team = [agent(project, "down", down), agent(project, "able")]
    limits = OrchestrationLimits(backoff=NEVER)
    lead(project, team, [subtask("a", "down")], limits=limits)
    async with opened(project) as app:
        job = await app.assign("lead", "Do it.")
        found = await orchestration(app, job)
        of, round = found.orchestration_id, found.rounds[0].job_id

        async def rests() -> bool:
            waiting = (await Insights(app.store).job(round)).waiting_on
            return [each.kind for each in waiting] == ["timer"]

        await eventually(rests)
        if parked:
            await park(app, round)
        await app.reassign_subtask(of, "a", "able", by="ann")
        await result(app, job)
        ended = await Insights(app.store).orchestration(of)

    assert [(each.agent, each.why, each.status) for each in ended.subtasks[0].attempts] == [
        ("down", "first", "failed"),
        ("able", "by_hand", "accepted"),
    ]


async def test_what_can_not_be_done_is_said_and_changes_nothing(opened: Open) -> None:
    desk = Desk(
        subtask("a", "unable"), subtask("b", "held"), subtask("c", "able", depends_on=["b"])
    )
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.", allow_partial=True)
        of = (await orchestration(app, job)).orchestration_id
        await stands(app, of, "a", "failed")
        with pytest.raises(InputInvalid, match='no subtask "z"'):
            await app.skip_subtask(of, "z", by="ann")
        with pytest.raises(InputInvalid, match='no agent "nobody"'):
            await app.reassign_subtask(of, "a", "nobody", by="ann")
        with pytest.raises(InputInvalid, match="asks for a text"):
            await app.answer_subtask(of, "a", 7, by="ann")
        with pytest.raises(SubtaskSettled, match="nothing to try again"):
            await app.retry_subtask(of, "c", by="ann")
        await inside(app, desk.tell())
        await result(app, job)
        found = await Insights(app.store).orchestration(of)
        with pytest.raises(SubtaskSettled, match="The round of subtask"):
            await app.retry_subtask(of, "a", by="ann")

    assert [each.orders for each in found.subtasks] == [(), (), ()]


async def test_nothing_is_done_about_a_subtask_whose_round_is_being_cancelled(opened: Open) -> None:
    desk = Desk(subtask("a", "slow"))
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        await app.store.write(cancelled.want_cancelled, job)  # which no process has heard of
        with pytest.raises(SubtaskSettled, match=r"cancelled|has ended"):
            await app.answer_subtask(of, "a", "by hand", by="ann")
        found = await Insights(app.store).orchestration(of)

    assert found.subtasks[0].orders == ()


class Payment:
    """A project that pays at most once, and has not paid before it is let."""

    def __init__(self) -> None:
        self.project = Project("desk")
        self.paid: list[str] = []
        self._let = asyncio.Event()

        @self.project.skill(effect="at_most_once")
        async def pay() -> str:
            """Pay."""
            self.paid.append("began")
            await self._let.wait()
            self.paid.append("ended")
            return "paid"

        self.skill = pay

    async def let(self) -> None:
        """Let it end; on the jobs' event loop."""
        self._let.set()


@pytest.fixture
def payment() -> Payment:
    return Payment()


async def test_what_acts_at_most_once_is_let_end_before_a_subtask_is_taken_away(
    opened: Open, payment: Payment
) -> None:
    project = payment.project

    async def pays(turn: Turn) -> Call | Answer:
        if turn.results:
            await asyncio.Event().wait()
        return Call(payment.skill)

    told: list[Any] = []

    def takes_over(turn: Turn) -> Answer:
        told.append(turn.data["earlier_attempts"][0]["has_called"])
        return Answer("done")

    team = [
        agent(project, "payer", pays, skills=[payment.skill]),
        agent(project, "able", takes_over),
    ]
    lead(project, team, [subtask("a", "payer")])
    async with opened(project) as app:
        job = await app.assign("lead", "Pay.")
        of = (await orchestration(app, job)).orchestration_id
        await eventually(lambda: payment.paid)
        await app.reassign_subtask(of, "a", "able", by="ann")
        before = await stands(app, of, "a", "working")
        await inside(app, payment.let())
        await result(app, job)

    assert [each.status for each in before.attempts] == ["working"]
    assert payment.paid == ["began", "ended"]
    assert told == [[{"skill": "pay", "arguments": {}}]]


async def test_what_two_people_say_at_once_is_followed_in_turn_and_keeps_no_round_waiting(
    opened: Open, payment: Payment
) -> None:
    """Each has been told that it is done, so the last one counts."""
    project = payment.project
    team = [
        agent(project, "payer", lambda _: Call(payment.skill), skills=[payment.skill]),
        agent(project, "able"),
        agent(project, "unable", lambda _: CannotComplete("no data")),
    ]
    lead(project, team, [subtask("a", "payer"), subtask("b", "unable")])
    async with opened(project) as app:
        job = await app.assign("lead", "Pay.", allow_partial=True)
        of = (await orchestration(app, job)).orchestration_id
        await eventually(lambda: payment.paid)  # so that neither is followed before both are given
        await app.answer_subtask(of, "a", "by ann", by="ann")
        await app.reassign_subtask(of, "a", "able", by="bob")
        await inside(app, payment.let())
        answer = await result(app, job)
        found = await Insights(app.store).orchestration(of)

    assert answer["response"] == "a succeeded, b failed"
    assert [each["output"] for each in answer["sections"]] == ["able: do a"]
    assert [(each.verb, each.by) for each in found.subtasks[0].orders] == [
        ("answer", "ann"),
        ("reassign", "bob"),
    ]


@pytest.mark.usefixtures("place")
async def test_a_subtask_is_done_by_hand_on_the_command_line(
    opened: Open, tmp_path: Path, warm: Warm
) -> None:
    async def typed(*words: str) -> str:
        command = ["-m", "lampwork", "orchestration", *words]
        process = warm.start(command, cwd=tmp_path)
        out, error = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0, error
        return out

    desk = Desk(subtask("a", "slow"), subtask("b", "slow", required=False), subtask("c", "slow"))
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        await stands(app, of, "a", "working")
        await typed(of, "reassign", "a", "able", "--by", "ann", "--reason", "slow is ill")
        await typed(of, "skip", "b", "--by", "bob")
        await typed(of, "answer", "c", '"by hand"')
        answer = await result(app, job)
        shown = await typed(of)

    assert answer["response"] == "a succeeded, b skipped, c succeeded"
    lines = ["✓ reassign to able by ann", "✓ skip by bob", "✓ able  accepted  (by hand)"]
    for line in [*lines, "slow  stopped by ann"]:
        assert any(line in each for each in shown.splitlines()), shown
