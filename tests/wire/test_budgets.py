"""Budgets on the wires: what providers are told, and what a try that was lost may have cost."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lampwork import Budget, Price
from lampwork.errors import BudgetNotEnforceable, JobFailed

from .wires import EACH_WIRE, METADATA, genie, model_at, project, says

USAGE = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}


async def assign(tmp_path, model: Any, budget: Budget) -> Any:
    async with project.open(tmp_path / "home") as app:
        return await app.assign_task(
            genie(model), "Check the invoice.", metadata=METADATA, budget=budget
        )


@EACH_WIRE
async def test_the_provider_is_told_what_the_budget_has_room_for(aimock, tmp_path, wire):
    server = aimock(says("All is well.", usage=USAGE))

    answer = await assign(tmp_path, model_at(server.url, wire), Budget(tokens=6_000))

    [told] = re.findall(r'[tT]okens":\s*(\d+)', server.sent[0].text)
    assert 1_000 < int(told) < 6_000
    assert answer.usage["input_tokens"] + answer.usage["output_tokens"] == 1_010


@EACH_WIRE
async def test_a_try_that_was_lost_stays_charged_as_an_estimate(aimock, tmp_path, pauses, wire):
    lost = says("Lost.", 0) | {"chaos": {"disconnectRate": 1}}
    server = aimock(lost, says("All is well.", 1, usage=USAGE))
    model = model_at(server.url, wire, settings={"max_tokens": 500})

    answer = await assign(tmp_path, model, Budget(tokens=20_000))

    assert len(server.sent) == 2
    assert (answer.usage["requests"], answer.usage["estimated_requests"]) == (2, 1)
    assert answer.usage["estimated_tokens"] > 1_500
    tokens = answer.usage["input_tokens"] + answer.usage["output_tokens"]
    assert tokens == answer.usage["estimated_tokens"] + 1_010


@EACH_WIRE
async def test_what_is_left_after_a_lost_try_is_not_overspent(aimock, tmp_path, pauses, wire):
    server = aimock(says("Lost.") | {"chaos": {"disconnectRate": 1}})
    model = model_at(
        server.url, wire, settings={"max_tokens": 500}, price=Price(input=1, output=10)
    )

    with pytest.raises(JobFailed) as failed:
        await assign(tmp_path, model, Budget(dollars=0.012))

    error = failed.value.error
    assert (error["code"], error["fields"]["limit"]) == ("budget_exceeded", "dollars")
    assert len(server.sent) == 1
    assert 0.005 < error["fields"]["spent"]["dollars"] <= 0.012


async def test_a_server_of_ones_own_needs_a_price(aimock, tmp_path):
    server = aimock(says("All is well."))

    with pytest.raises(BudgetNotEnforceable, match="The price of openai-chat:gpt-5-mini"):
        await assign(tmp_path, model_at(server.url, "openai-chat"), Budget(dollars=1))

    assert server.sent == []
