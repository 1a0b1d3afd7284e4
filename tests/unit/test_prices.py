"""What a request may hold, what it costs, and where it stops."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from lampwork import Model, Price
from lampwork.errors import InputInvalid
from lampwork.models import (
    Answer,
    Ask,
    Described,
    Returned,
    Said,
    Told,
    Turn,
    playbook,
    provider,
    resolve,
    size,
)


def ask(*messages: Any, **fields: Any) -> Ask:
    turn = Turn("Decide.", None, (), (), (), 1, ())
    given = {
        "task_id": "t1",
        "number": 1,
        "job_description": "You check.",
        "messages": messages or (Told("Decide."),),
        "skills": (),
        "endings": (),
        "text_ends": True,
        "wrapped": False,
        "turn": turn,
    }
    return Ask(**(given | fields))


@playbook
def clerk(turn: Turn):
    return Answer("done")


# --- prices ---


def test_a_cost_is_exact_in_nanodollars_and_rounded_up():
    price = Price(input=0.1, output=0.4, cached_input=0.025)

    assert price.cost(1_000_000, 0) == 100_000_000
    assert price.cost(10, 3) == 10 * 100 + 3 * 400
    assert price.cost(10, 0, cached_input_tokens=10) == 250
    assert price.cost(1, 0, cached_input_tokens=1) == 25
    assert Price(input=0.00001, output=0).cost(1, 0) == 1


def test_cached_input_costs_as_much_as_other_input_where_nothing_else_is_said():
    assert Price(input=2, output=0).cost(10, 0, cached_input_tokens=10) == 20_000


@pytest.mark.parametrize("given", [-1, float("nan"), float("inf"), "cheap", None])
def test_a_price_that_is_no_amount_of_money_is_refused(given):
    with pytest.raises(InputInvalid, match="is no amount of money"):
        Price(input=given, output=1)


@pytest.mark.parametrize(
    ("model", "input", "output"),
    [
        (Model("openai:gpt-5-mini"), "0.25", "2"),
        (Model("openai-chat:gpt-5-mini"), "0.25", "2"),
        (Model("openai:gpt-5-mini", settings={"openai_service_tier": "auto"}), "0.45", "3.6"),
        (Model("anthropic:claude-opus-4-5"), "6.25", "25"),
        (Model("anthropic:claude-opus-4-5", settings={"anthropic_cache": "1h"}), "10", "25"),
        (Model("deepseek:deepseek-chat"), "0.27", "1.1"),
    ],
)
def test_the_dearest_rates_that_a_request_can_meet_are_known(model, input, output):
    assert resolve(model).price() == Price(Decimal(input), Decimal(output))


def test_a_short_request_is_not_charged_like_a_long_one():
    model = resolve("google:gemini-2.5-pro")

    assert model.price() == Price(Decimal("2.5"), Decimal("15"))
    assert model.price(200_000) == Price(Decimal("1.25"), Decimal("10"))
    assert model.price(200_001) == model.price()


def test_what_a_model_says_of_its_price_counts_and_elsewhere_nothing_is_known():
    given = Price(input=1, output=2)

    assert resolve(Model("openai:gpt-5-mini", price=given)).price() == given
    assert resolve(Model("openai:gpt-5-mini", "http://localhost:1", price=given)).price() == given
    assert resolve(Model("openai:gpt-5-mini", base_url="http://localhost:1")).price() is None
    assert resolve("openai:gpt-none").price() is None
    assert resolve("nowhere:gpt").price() is None
    assert resolve(clerk).price() == Price(0, 0)


def test_with_fallbacks_the_dearest_rates_and_the_largest_limit_count():
    cheap = Model("openai:gpt-5-mini", settings={"max_tokens": 100})
    dear = Model("a:b", price=Price(1, 1), settings={"max_tokens": 200}, fallbacks=[cheap])

    assert resolve(dear).price() == Price(1, Decimal(2))
    assert resolve(dear).max_output_tokens == 200
    unknown = Model("a:b", price=Price(1, 1), settings={"max_tokens": 1}, fallbacks=("a:c", cheap))
    assert resolve(unknown).price() is None
    assert resolve(unknown).max_output_tokens is None


# --- what a reply says of its cost ---


class Priced(FunctionModel):
    """A model that says that it is one of a provider's."""

    def __init__(self, response: ModelResponse, name: str = "gpt-5-mini") -> None:
        self.asked: list[AgentInfo] = []

        def reply(_messages: Any, info: AgentInfo) -> ModelResponse:
            self.asked.append(info)
            return response

        super().__init__(reply, model_name=name)

    @property
    def system(self) -> str:
        return "openai"


def response(usage: RequestUsage, **fields: Any) -> ModelResponse:
    return ModelResponse([TextPart("Fine.")], usage=usage, provider_name="openai", **fields)


async def usage_of(usage: RequestUsage, name: str = "gpt-5-mini") -> dict[str, int]:
    reply = await provider.of(Priced(response(usage), name)).respond(ask())
    return reply.usage


async def test_a_reply_says_what_it_cost_by_the_price_list():
    used = RequestUsage(input_tokens=1000, cache_read_tokens=400, output_tokens=10)

    assert await usage_of(used) == {
        "requests": 1,
        "input_tokens": 1000,
        "output_tokens": 10,
        "cache_read_tokens": 400,
        "cost_nanodollars": 600 * 250 + 400 * 25 + 10 * 2000,
    }


async def test_a_request_of_unknown_price_is_counted_as_such():
    usage = await usage_of(RequestUsage(input_tokens=1), "gpt-none")

    assert usage == {
        "requests": 1,
        "input_tokens": 1,
        "output_tokens": 0,
        "unpriced_requests": 1,
    }


async def test_a_reply_that_leaves_its_usage_out_is_counted_as_unmeasured():
    usage = await usage_of(RequestUsage(unmeasured_requests=1))

    assert (usage["unmeasured_requests"], usage["unpriced_requests"]) == (1, 1)
    assert "cost_nanodollars" not in usage


async def test_a_playbook_costs_nothing():
    assert (await clerk.respond(ask())).usage == {"requests": 1, "cost_nanodollars": 0}


# --- limits of output ---


@pytest.mark.parametrize(
    ("own", "asked", "sent"),
    [(None, None, None), (None, 10, 10), (20, None, 20), (20, 10, 10), (10, 20, 10)],
)
async def test_the_smaller_limit_of_output_tokens_is_sent(own, asked, sent):
    model = Priced(response(RequestUsage()))
    model._settings = {"max_tokens": own} if own else None
    door = provider.of(model)

    await door.respond(ask(max_output_tokens=asked))

    assert door.max_output_tokens == own
    assert (model.asked[0].model_settings or {}).get("max_tokens") == sent


@pytest.mark.parametrize(("reason", "truncated"), [("length", True), ("stop", False)])
async def test_a_reply_that_stopped_at_the_limit_says_so(reason, truncated):
    model = Priced(response(RequestUsage(), finish_reason=reason))

    assert (await provider.of(model).respond(ask())).truncated is truncated


# --- the size of a request ---


def test_a_request_is_as_large_as_all_that_it_holds():
    empty = size(ask(Told("")))
    skill = Described("look_up", "Look an ördér up.", {"type": "object"})

    assert size(ask(Told("ö" * 1000))) - empty == 2000
    assert size(ask(Told(""), job_description="")) == empty - len("You check.")
    assert size(ask(Told(""), skills=(skill,))) > empty + len("look_up" + "Look an order up.") + 15
    assert size(ask(Told(""), endings=(skill,))) == size(ask(Told(""), skills=(skill,)))
    call = ToolCallPart("look_up", {"text": "x" * 500}, "c1")
    said = {"parts": [{"tool_name": "look_up", "args": call.args}]}
    assert size(ask(Told(""), Said(said), Returned("c1", "look_up", {"é": "y" * 500}))) > (
        empty + 1000
    )


def test_a_message_is_measured_once():
    told = Told("x" * 100)

    first = size(ask(told))
    told.text = ""

    assert size(ask(told)) == first
