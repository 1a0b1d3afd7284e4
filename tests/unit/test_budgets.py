"""Reservations: what they hold back, what they become, and what a death leaves of them."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.support import Metered

from lampwork import Answer, Budget, Call, Turn, failpoint
from lampwork.errors import BudgetExceeded, ModelUnavailable
from lampwork.models import Ask, Reply
from lampwork.models.ask import size
from lampwork.store import schema
from lampwork.store.spending import budgets, reservations
from lampwork.store.spending.budgets import LimitMet
from lampwork.store.spending.reservations import Granted, Reservation, Spent, Wanted

from .clerk import genie_of


class Killed(BaseException):
    pass


def talkative(turn: Turn) -> Call | Answer:
    return Call("look_up", order="PO-7") if turn.number < 3 else Answer("done")


def answering(_turn: Turn) -> Answer:
    return Answer("done")


FIGURES = tuple(
    f"{kind}_{name}"
    for kind in ("spent", "reserved", "estimated")
    for name in ("tokens", "nanodollars", "model_calls")
)


async def figures(desk: Any, task: str = "t1.1") -> dict[str, int]:
    row = await desk.row(schema.budgets, task)
    return {name: getattr(row, name) for name in FIGURES}


async def die_at(desk: Any, point: str, genie: Any, **terms: Any) -> None:
    """Let a run of the task die at this point, as its process would."""

    def stop() -> None:
        failpoint.disarm(point)
        raise Killed

    failpoint.arm(point, stop)
    with pytest.raises(Killed):
        await desk.assign(genie, **terms)


# --- a death between a reservation and what came of it ---


@pytest.mark.parametrize("point", ["model.reserved", "model.before", "model.after"])
async def test_a_call_that_a_death_cut_off_stays_charged_as_it_was_reserved(desk, skills, point):
    genie = genie_of(desk, Metered(talkative, used=(50, 50), longest=100), skills)
    terms = {"budget": Budget(tokens=30_000)}
    await die_at(desk, point, genie, **terms)
    before = await figures(desk)
    assert before["reserved_model_calls"] == 1
    assert before["spent_tokens"] == 0

    answer = await desk.assign(genie, **terms)

    after = await figures(desk)
    cut_off = before["reserved_tokens"]
    assert after == {
        "spent_tokens": cut_off + 300,
        "spent_nanodollars": before["reserved_nanodollars"] + 3 * 300_000,
        "spent_model_calls": 4,
        "reserved_tokens": 0,
        "reserved_nanodollars": 0,
        "reserved_model_calls": 0,
        "estimated_tokens": cut_off,
        "estimated_nanodollars": before["reserved_nanodollars"],
        "estimated_model_calls": 1,
    }
    assert answer.usage == {
        "requests": 4,
        "input_tokens": cut_off - 100 + 150,
        "output_tokens": 250,
        "cost_nanodollars": after["spent_nanodollars"],
        "estimated_requests": 1,
        "estimated_tokens": cut_off,
        "estimated_nanodollars": before["reserved_nanodollars"],
    }


@pytest.mark.parametrize("point", ["model.before", "model.after"])
async def test_without_a_budget_a_call_that_was_cut_off_is_counted_too(desk, skills, point):
    genie = genie_of(desk, Metered(talkative, used=(50, 50), longest=100), skills)
    await die_at(desk, point, genie)

    answer = await desk.assign(genie)

    assert answer.usage["requests"] == 4
    assert answer.usage["estimated_requests"] == 1
    assert answer.usage["estimated_tokens"] > 1_100
    assert answer.usage["input_tokens"] + answer.usage["output_tokens"] == (
        answer.usage["estimated_tokens"] + 300
    )
    assert (await desk.kinds())[:3] == ["told", "cut_off", "said"]
    assert (answer.proof.requests, answer.proof.cut_off) == (3, 1)


@pytest.mark.parametrize("point", ["said.appended", "skill.before_effect", "skill.after_effect"])
async def test_what_was_settled_is_not_counted_again(desk, skills, point):
    genie = genie_of(desk, Metered(talkative, used=(50, 50), longest=100), skills)
    await die_at(desk, point, genie, budget=Budget(tokens=30_000))

    await desk.assign(genie, budget=Budget(tokens=30_000))

    assert await figures(desk) | {"spent_nanodollars": 0} == dict.fromkeys(FIGURES, 0) | {
        "spent_tokens": 300,
        "spent_model_calls": 3,
    }


async def test_a_call_that_a_run_ended_for_is_counted_once(desk, skills):
    """By the run itself, which may still write; the next run has nothing to add."""
    asked = asyncio.Event()

    async def slow(turn: Turn) -> Answer:
        asked.set()
        if turn.number == 1 and len(desk.owner) == 1 and desk.owner["j1"] is first:
            await asyncio.Event().wait()
        return Answer("done")

    genie = genie_of(desk, Metered(slow, used=(50, 50), longest=100), skills)
    first = desk.run()
    working = asyncio.create_task(desk.assign(genie, run=first))
    await asked.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    answer = await desk.assign(genie)

    assert await desk.kinds() == ["told", "unanswered", "said", "answered"]
    assert (answer.proof.requests, answer.proof.cut_off) == (2, 0)
    assert (answer.usage["requests"], answer.usage["estimated_requests"]) == (2, 1)


# --- tries that nobody measured ---


class Failing(Metered):
    """Fails a few times in a way that may have cost something, then replies."""

    failures = 2

    async def respond(self, ask: Ask) -> Reply:
        assert ask.may_retry is not None
        for failed in range(1, self.failures + 1):
            if not await ask.may_retry():
                unknown = {"unmeasured_requests": failed, "unpriced_requests": failed}
                raise ModelUnavailable("it hung up", usage={"requests": failed, **unknown})
        reply = await super().respond(ask)
        failed = self.failures
        unknown = {"unmeasured_requests": failed, "unpriced_requests": failed}
        return replace(reply, usage=reply.usage | {"requests": failed + 1} | unknown)


@pytest.mark.parametrize("budget", [Budget(tokens=100_000), None])
async def test_tries_that_nobody_measured_are_charged_as_much_as_they_may_have_used(
    desk, skills, budget
):
    model = Failing(answering, used=(50, 50), longest=100)
    answer = await desk.assign(genie_of(desk, model, skills), budget=budget)

    usage = answer.usage
    assert (usage["requests"], usage["estimated_requests"]) == (3, 2)
    assert usage["estimated_tokens"] == usage["input_tokens"] + usage["output_tokens"] - 100
    assert usage["estimated_nanodollars"] == usage["cost_nanodollars"] - 300_000
    assert "unpriced_requests" not in usage
    if budget is not None:
        after = await figures(desk)
        assert after["spent_tokens"] == usage["estimated_tokens"] + 100
        assert after["estimated_tokens"] == usage["estimated_tokens"]
        assert (after["spent_model_calls"], after["reserved_tokens"]) == (1, 0)


async def test_there_is_no_second_try_that_the_budget_does_not_hold(desk, skills):
    model = Failing(answering, used=(50, 50), longest=1_000)
    with pytest.raises(BudgetExceeded, match="another may not fit") as refused:
        await desk.assign(genie_of(desk, model, skills), budget=Budget(tokens=5_000))

    after = await figures(desk)
    assert refused.value.limit == "tokens"
    assert refused.value.usage["requests"] == 1
    assert after["reserved_tokens"] == 0
    assert (
        after["spent_tokens"]
        == after["estimated_tokens"]
        == refused.value.usage["estimated_tokens"]
    )
    assert after["spent_tokens"] <= 5_000


async def test_a_reply_that_was_cut_off_by_its_model_is_no_answer(desk):
    replies = iter([Metered(answering, used=(50, 500), longest=100), Metered(answering)])

    class Long(Metered):
        async def respond(self, ask: Ask) -> Reply:
            return await next(replies).respond(ask)

    answer = await desk.assign(genie_of(desk, Long(answering)), budget=Budget(tokens=100_000))

    assert answer.output == "done"
    assert await desk.kinds() == ["told", "said", "asked_again", "said", "answered"]


# --- how much is reserved ---


async def test_what_a_provider_has_measured_is_not_measured_in_bytes_again(desk, skills):
    reserved: list[int] = []
    sizes: list[int] = []

    class Watching(Metered):
        async def respond(self, ask: Ask) -> Reply:
            reserved.append((await figures(desk))["reserved_tokens"])
            sizes.append(size(ask))
            return await super().respond(ask)

    genie = genie_of(desk, Watching(talkative, used=(50, 50), longest=100), skills)
    await desk.assign(genie, data={"text": "x" * 10_000}, budget=Budget(tokens=100_000))

    first, second, third = reserved
    assert first == sizes[0] + 100 > 10_000
    returned = len("call_2_0" + "look_up" + '{"amount":100}') + 16
    assert (second, third) == (100 + returned + 100,) * 2


async def test_what_another_model_may_count_otherwise_is_measured_in_bytes(desk, skills):
    reserved: list[int] = []
    sizes: list[int] = []

    class OrAnother(Metered):
        counts_alike = False

        async def respond(self, ask: Ask) -> Reply:
            reserved.append((await figures(desk))["reserved_tokens"])
            sizes.append(size(ask))
            return await super().respond(ask)

    genie = genie_of(desk, OrAnother(talkative, used=(50, 50), longest=100), skills)
    await desk.assign(genie, data={"text": "x" * 10_000}, budget=Budget(tokens=100_000))

    assert reserved == [each + 100 for each in sizes]


async def test_a_request_that_can_not_fit_is_refused_at_once(desk, skills):
    genie = genie_of(desk, Metered(talkative), skills)
    with pytest.raises(BudgetExceeded) as refused:
        await desk.assign(genie, data={"text": "x" * 10_000}, budget=Budget(tokens=10_000))
    assert (refused.value.limit, refused.value.usage) == ("tokens", {})
    assert refused.value.spent | {"tokens": 0, "dollars": 0} == refused.value.spent


# --- a tree of budgets, at random ---


LIMITS = ("tokens", "nanodollars", "model_calls", "skill_calls")


class Tree:
    """Budgets in a random tree, and tasks that spend from them."""

    def __init__(self, desk: Any, seed: int) -> None:
        self.desk, self.random = desk, random.Random(seed)
        self.chains: dict[str, tuple[str, ...]] = {}
        self.calls: dict[str, Reservation] = {}

    async def grow(self) -> None:
        parent = self.random.choice([None, *self.chains]) if self.chains else None
        name = f"t{len(self.chains)}"
        self.chains[name] = (name, *(self.chains[parent] if parent else ()))
        given = {
            limit: self.random.randint(0, most)
            for limit, most in zip(LIMITS, (9_000, 90_000, 9, 9), strict=True)
            if self.random.random() < 0.7
        }
        money = given.get("nanodollars")
        await self.desk.store.write(budgets.open_budget, name, parent, given, money, 0.0)
        await self.desk.sql(
            "insert into tasks (id, job_id, call, depth, genie, conversation_id, history_until, "
            "status, epoch, instructions, data, metadata, sealed, created_at) values "
            "(:id, :id, 1, 1, '', '', 0, 'working', 1, '', 'null', '{}', '[]', 0)",
            id=name,
        )

    async def step(self) -> None:
        task = self.random.choice(list(self.chains))
        chain, call = self.chains[task], self.calls.pop(task, None)
        if call is None:
            wanted = Wanted(
                self.random.randint(0, 800), self.random.randint(0, 800), "m", 1_000, Decimal(10)
            )
            found = await self.desk.store.write(reservations.reserve, "", task, 1, chain, wanted)
            if isinstance(found, Granted):
                self.calls[task] = found.reservation
        else:
            await self.settle(task, call)

    async def settle(self, task: str, call: Reservation) -> None:
        usage = {
            "input_tokens": self.random.randint(0, call.input_tokens),
            "output_tokens": self.random.randint(0, call.output_tokens),
            "cost_nanodollars": self.random.randint(0, call.cost),
        }
        spent = replace(Spent.of(self.chains[task], usage), skill_calls=self.random.randint(0, 3))
        try:
            await self.desk.store.write(reservations.settle, task, spent)
        except LimitMet:
            await self.desk.store.write(reservations.settle, task, replace(spent, skill_calls=0))

    async def check(self) -> None:
        rows = await self.desk.store.read(lambda each: each.execute(schema.budgets.select()).all())
        by_id = {row.id: row for row in rows}
        for row in rows:
            for name in LIMITS:
                limit = getattr(row, f"limit_{name}")
                held = getattr(row, f"spent_{name}") + getattr(row, f"reserved_{name}", 0)
                assert limit is None or held <= limit, (row.id, name)
            below = [by_id[name] for name, chain in self.chains.items() if chain[1:2] == (row.id,)]
            for figure in ("spent_tokens", "spent_skill_calls", "reserved_nanodollars"):
                assert sum(getattr(each, figure) for each in below) <= getattr(row, figure)


@pytest.mark.parametrize("seed", range(5))
async def test_no_budget_of_any_tree_is_overspent(desk, seed):
    tree = Tree(desk, seed)
    for _ in range(6):
        await tree.grow()
    for _ in range(60):
        await tree.step()
        await tree.check()
    for task, call in tree.calls.items():
        await tree.settle(task, call)
    rows = await desk.store.read(lambda each: each.execute(schema.budgets.select()).all())
    assert any(row.spent_tokens for row in rows)
    assert {getattr(row, name) for row in rows for name in FIGURES if "reserved" in name} == {0}
    await tree.check()
